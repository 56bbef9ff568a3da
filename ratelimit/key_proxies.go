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
// The header is the one that your proxies write: "X-Forwarded-For", "Forwarded" (RFC
// 7239), or one that holds a single address, such as "X-Real-IP" or "CF-Connecting-IP".
// No other is ever read. A proxy that doesn't write a header passes on what the client
// wrote there: name only one that your proxies set on every request.
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
// peer. What stands further left is the client's, and changes nothing. An element of
// Forwarded that doesn't say for whom can't be read.
//
// A header of a single address is the client, whatever the address. If it is there
// twice, or isn't an address, the request counts for the peer.
//
// # Peers without an address
//
// "unix" trusts a peer on a unix socket, and the hop "unix:" in a list, which nginx
// writes if it listens on a unix socket itself. It also trusts an empty RemoteAddr: some
// adapters that run handlers behind a load balancer, as on AWS Lambda, leave it empty.
// For those say
//
//	ratelimit.TrustedProxies("X-Forwarded-For", "unix")
//
// A peer without an address that sends no readable header is an error.
func TrustedProxies(header string, networks ...string) (KeyFunc, error) {
	p := new(proxies)
	var errs []error
	switch http.CanonicalHeaderKey(header) {
	case "X-Forwarded-For":
		p.header, p.hops = "X-Forwarded-For", forwardedFor
	case "Forwarded":
		p.header, p.hops = "Forwarded", forwarded
	default:
		p.header, p.hops, p.single = http.CanonicalHeaderKey(header), single, true
		if !namesAddress(header) {
			errs = append(errs, fmt.Errorf("ratelimit: TrustedProxies reads X-Forwarded-For, Forwarded or a header of one address such as X-Real-IP, not %q", header))
		}
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

// namesAddress says whether a header by that name can hold an address. All that are
// known say so in the name. A name that doesn't is a slip, which would silently put all
// clients into one bucket.
func namesAddress(header string) bool {
	for i := range len(header) {
		if !isTokenChar(header[i]) {
			return false
		}
	}
	name := strings.ToLower(header)
	return strings.Contains(name, "ip") || strings.Contains(name, "addr")
}

// proxies is the compiled arguments of TrustedProxies.
type proxies struct {
	header   string
	hops     func(lines []string, each func(string) bool) bool
	single   bool // the header is one address, not a list of hops
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
	if peer, err := parseHost(r.RemoteAddr); err == nil {
		client = peer
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
		return "", fmt.Errorf("ratelimit: a peer without an address sent no readable %s", p.header)
	}
	return addrKey(client), nil
}

// client walks the hops from the right to the first that isn't trusted.
func (p *proxies) client(lines []string) (client netip.Addr, ok bool) {
	n := 0
	readable := p.hops(lines, func(hop string) bool {
		n++
		// nginx names a peer on a unix socket so: the hop is ours, and has no address.
		if hop == "unix:" && p.unix && !p.single && n <= maxHops {
			ok = client.IsValid()
			return true
		}
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

// forwarded calls each with the nodes of the "for" parameters of Forwarded (RFC 7239
// section 4) from the right, until each returns false. The result is false if it comes
// to an element that can't be read or doesn't say for whom: the hops left of a silent
// proxy may be the client's invention.
//
// Reading from the right, what a proxy appended is read by its own characters alone. A
// quote that a client leaves open can't swallow it.
func forwarded(lines []string, each func(string) bool) bool {
	for i := len(lines) - 1; i >= 0; i-- {
		rest, more := lines[i], true
		for empty := 0; more; {
			var e element
			var ok bool
			if e, rest, more, ok = lastElement(rest); !ok {
				return false
			}
			switch {
			case e.pairs == 0: // a list may have empty elements (RFC 9110 section 5.6.1)
				if empty++; empty > maxHops {
					return false
				}
			case !e.hasNode:
				return false
			case !each(e.node):
				return true
			}
		}
	}
	return true
}

// element is one hop of Forwarded.
type element struct {
	node    string // of "for"
	hasNode bool
	pairs   int
}

// lastElement splits the rightmost element off a line: pairs separated by semicolons,
// all of them optional. more says that a comma stood before it.
func lastElement(line string) (e element, rest string, more, ok bool) {
	for {
		line = strings.TrimRight(line, " \t")
		if line != "" && !strings.HasSuffix(line, ";") && !strings.HasSuffix(line, ",") {
			name, value, before, ok := lastPair(line)
			if !ok {
				return e, "", false, false
			}
			e.pairs++
			if strings.EqualFold(name, "for") {
				if e.hasNode { // each parameter at most once
					return e, "", false, false
				}
				e.node, e.hasNode = value, true
			}
			line = strings.TrimRight(before, " \t")
		}
		switch {
		case line == "":
			return e, "", false, true
		case strings.HasSuffix(line, ","):
			return e, line[:len(line)-1], true, true
		case strings.HasSuffix(line, ";"):
			line = line[:len(line)-1]
		default:
			return e, "", false, false
		}
	}
}

// lastPair splits token "=" ( token / quoted-string ) off the end of s.
func lastPair(s string) (name, value, before string, ok bool) {
	if strings.HasSuffix(s, `"`) {
		s = s[:len(s)-1]
		open := strings.LastIndexByte(s, '"')
		// No address needs an escape. An escaped quote isn't taken for the opening one,
		// as a backslash stands where "=" must.
		if open < 0 || strings.IndexByte(s[open:], '\\') >= 0 {
			return "", "", "", false
		}
		before, value = s[:open], s[open+1:]
	} else if before, value = lastToken(s); value == "" {
		return "", "", "", false
	}
	if !strings.HasSuffix(before, "=") {
		return "", "", "", false
	}
	before, name = lastToken(before[:len(before)-1])
	return name, value, before, name != ""
}

// lastToken splits the longest token of RFC 9110 section 5.6.2 off the end of s.
func lastToken(s string) (before, tok string) {
	i := len(s)
	for i > 0 && isTokenChar(s[i-1]) {
		i--
	}
	return s[:i], s[i:]
}

func isTokenChar(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// single calls each with the only value of a header that holds one address.
func single(lines []string, each func(string) bool) bool {
	if len(lines) != 1 { // one of them is the client's, and nothing tells which
		return false
	}
	each(strings.Trim(lines[0], " \t"))
	return true
}
