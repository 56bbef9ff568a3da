package ratelimit

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// TrustedProxies is a [KeyFunc] for servers behind proxies: the address of the client
// as your own proxies report it, counted as by [RemoteIP].
//
// The header is the one that your proxies write, "X-Forwarded-For" or "Forwarded" (RFC
// 7239). The other one is never read: a proxy that doesn't write a header passes on
// what the client wrote there.
//
// Networks are those of your proxies: prefixes such as "10.0.0.0/8", single addresses,
// or "unix" for a proxy on a unix socket. A network must be at least a /8 of IPv4 or a
// /7 of IPv6, since every client in it can choose its own key.
//
// # Which address
//
// If the peer isn't trusted it is the client, and the header is not read. Otherwise
// all lines of the header are read as one list, from the right. The first address that
// isn't trusted is the client. If all are trusted it is the leftmost.
//
// A list that can't be read up to there, or has more than 32 proxies, counts for the
// peer. A unix peer without a readable list is an error.
func TrustedProxies(header string, networks ...string) (KeyFunc, error) {
	p := new(proxies)
	var errs []error
	switch http.CanonicalHeaderKey(header) {
	case "X-Forwarded-For":
		p.header, p.hops = "X-Forwarded-For", forwardedFor
	case "Forwarded":
		p.header, p.hops = "Forwarded", forwarded
	default:
		errs = append(errs, fmt.Errorf("ratelimit: TrustedProxies reads X-Forwarded-For or Forwarded, not %q", header))
	}
	for _, n := range networks {
		errs = append(errs, p.trust(n))
	}
	if len(networks) == 0 {
		errs = append(errs, errors.New("ratelimit: TrustedProxies names no network"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p.key, nil
}

// proxies is the compiled arguments of TrustedProxies.
type proxies struct {
	header   string
	hops     func(lines []string, each func(string) bool) bool
	networks []netip.Prefix
	unix     bool
}

// trust adds one network.
func (p *proxies) trust(network string) error {
	if network == "unix" {
		p.unix = true
		return nil
	}
	prefix, err := netip.ParsePrefix(network)
	if err != nil {
		a, err := netip.ParseAddr(network)
		if err != nil || a.Zone() != "" {
			return fmt.Errorf("ratelimit: trusted proxy %q is neither a prefix nor an address nor \"unix\"", network)
		}
		prefix = netip.PrefixFrom(a, a.BitLen())
	}
	if a := prefix.Addr(); a.Is4In6() && prefix.Bits() >= 96 { // addresses are unmapped before they are compared
		prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
	}
	if prefix.Masked() != prefix {
		return fmt.Errorf("ratelimit: trusted proxy %q has bits outside of its prefix: %v is meant?", network, prefix.Masked())
	}
	least := 8
	if prefix.Addr().Is6() {
		least = 7
	}
	if prefix.Bits() < least {
		return fmt.Errorf("ratelimit: trusted proxy %q is too wide: every client in it could choose its own key", network)
	}
	p.networks = append(p.networks, prefix)
	return nil
}

func (p *proxies) trusted(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, n := range p.networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// maxHops bounds the work on a header that strangers write.
const maxHops = 32

// key is the KeyFunc.
func (p *proxies) key(r *http.Request) (string, error) {
	var client netip.Addr
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		client = peer.Addr()
		if !p.trusted(client) {
			return addrKey(client), nil
		}
	} else if !p.unix || r.RemoteAddr != "" && r.RemoteAddr != "@" && r.RemoteAddr[0] != '/' {
		return "", errNoAddress // a unix peer is "", "@" or a path
	}
	// A header that can't be read is not an error: an attacker who sends one is
	// charged to the proxy that passed it on, at worst together with others.
	if a, ok := p.client(r.Header[p.header]); ok {
		client = a
	}
	if !client.IsValid() {
		return "", fmt.Errorf("ratelimit: a peer on a unix socket sent no readable %s", p.header)
	}
	return addrKey(client), nil
}

// client walks the hops from the right to the first that isn't trusted.
func (p *proxies) client(lines []string) (client netip.Addr, ok bool) {
	n := 0
	readable := p.hops(lines, func(hop string) bool {
		n++
		a, err := parseHost(hop)
		if ok = err == nil && n <= maxHops; !ok {
			return false
		}
		client = a
		return p.trusted(a)
	})
	return client, ok && readable
}

// forwardedFor calls each with the entries of X-Forwarded-For from the right, until each
// returns false.
func forwardedFor(lines []string, each func(string) bool) bool {
	for i := len(lines) - 1; i >= 0; i-- {
		line := lines[i]
		for {
			comma := strings.LastIndexByte(line, ',')
			if !each(strings.Trim(line[comma+1:], " \t")) {
				return true
			}
			if comma < 0 {
				break
			}
			line = line[:comma]
		}
	}
	return true
}

// maxForwarded bounds Forwarded, which can't be read from the right because of
// its quoted strings.
const maxForwarded = 8 << 10

// forwarded calls each with the nodes of the "for" parameters of Forwarded (RFC 7239
// section 4) from the right, until each returns false. The result is false if any line
// can't be read: a quote that a client leaves open must not swallow what a proxy
// appends.
func forwarded(lines []string, each func(string) bool) bool {
	var nodes []string
	size := 0
	for _, line := range lines {
		if size += len(line); size > maxForwarded {
			return false
		}
		var ok bool
		if nodes, ok = appendNodes(nodes, line); !ok {
			return false
		}
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if !each(nodes[i]) {
			break
		}
	}
	return true
}

// appendNodes reads one line of Forwarded: elements separated by commas, of
// pairs separated by semicolons. Each element must have one "for".
func appendNodes(nodes []string, line string) ([]string, bool) {
	rest := line
	for {
		node, has := "", false
		for {
			name, value, tail, ok := pair(strings.TrimLeft(rest, " \t"))
			if !ok {
				return nil, false
			}
			if strings.EqualFold(name, "for") {
				if has {
					return nil, false
				}
				node, has = value, true
			}
			rest = strings.TrimLeft(tail, " \t")
			if rest == "" || rest[0] != ';' {
				break
			}
			rest = rest[1:]
		}
		if !has {
			return nil, false
		}
		nodes = append(nodes, node)
		if rest == "" {
			return nodes, true
		}
		if rest[0] != ',' {
			return nil, false
		}
		rest = rest[1:]
	}
}

// pair reads token "=" ( token / quoted-string ), RFC 7239 section 4.
func pair(s string) (name, value, rest string, ok bool) {
	name, rest = token(s)
	if name == "" || rest == "" || rest[0] != '=' {
		return "", "", "", false
	}
	rest = rest[1:]
	if rest == "" || rest[0] != '"' {
		value, rest = token(rest)
		return name, value, rest, value != ""
	}
	end := strings.IndexAny(rest[1:], `"\`)
	if end < 0 || rest[1+end] == '\\' { // no address needs an escape
		return "", "", "", false
	}
	return name, rest[1 : 1+end], rest[2+end:], true
}

// token splits off the longest token of RFC 9110 section 5.6.2.
func token(s string) (tok, rest string) {
	i := 0
	for i < len(s) && (isAlnum(s[i]) || strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) >= 0) {
		i++
	}
	return s[:i], s[i:]
}
