package ratelimit

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
)

// A KeyFunc says which bucket a request is charged to. If it returns an error or an
// empty key the request is refused: an unknown client is never unlimited. The answer
// is 503, or 400 if the error is [ErrBadRequest].
//
// Any function will do: the subject of a token, an account in the path after [Email],
// a constant for a limit of the whole route. It must be safe for concurrent use.
//
// A KeyFunc is called before the body is read and must not read it, nor call
// FormValue, which does: the handler would miss what was read, and strangers could
// make the server work before they are limited. If only the body says which account is
// meant, limit by address first, and in the handler by account: [Limiter.Allow] with
// the account, and [Limiter.Refuse].
type KeyFunc func(*http.Request) (string, error)

// RemoteIP is a [KeyFunc]: the address of the peer. It never reads forwarded headers,
// which anybody can write. Behind a proxy use [TrustedProxies], or all clients share
// the proxy's bucket. A limiter that sees this happen says so once in its log: a
// private or loopback peer, and a forwarding header in the request.
//
// IPv4 counts by address, also if it is mapped into IPv6 or embedded in a NAT64
// (64:ff9b::/96) or 6to4 (2002::/16) address. Other IPv6, Teredo included, counts by
// /64, the least that one customer has. Zones are dropped. A peer without an address,
// as on a unix socket, is an error. The port may be missing, as some adapters leave it
// out of RemoteAddr.
func RemoteIP(r *http.Request) (string, error) {
	if host, ok := hostIPv4(r.RemoteAddr); ok {
		return host, nil
	}
	peer, err := parseHost(r.RemoteAddr)
	if err != nil {
		return "", errNoAddress
	}
	return addrKey(peer), nil
}

// AddrKey is the key of a client's address that something else found out, such as
// another router's middleware. It counts as [RemoteIP] does, but other IPv6 by the
// first bits: 64, or fewer where a customer has more, such as 56 or 48. Each address of
// its own, as Addr.String gives, would be 2^64 buckets for every client.
//
// It is empty, and so refuses as a key, if a is not valid or bits isn't 32 to 64.
func AddrKey(a netip.Addr, bits int) string {
	if !a.IsValid() || bits < 32 || bits > 64 {
		return ""
	}
	return prefixKey(a, bits)
}

var errNoAddress = errors.New("ratelimit: the peer has no IP address (a unix socket? see TrustedProxies)")

// hostIPv4 reads the usual case, an IPv4 address and a port, without a copy: the
// canonical text of an address is its key. What it doesn't read is left to netip.
func hostIPv4(peer string) (host string, ok bool) {
	part, digits, n := 0, 0, 0
	for i := range len(peer) {
		switch c := peer[i]; {
		case '0' <= c && c <= '9' && (digits == 0 || n > 0): // no leading zeros: one text for one address
			digits++
			if n = n*10 + int(c-'0'); n > 255 {
				return "", false
			}
		case c == '.' && digits > 0:
			part, digits, n = part+1, 0, 0
		case c == ':' && digits > 0 && part == 3:
			_, err := strconv.ParseUint(peer[i+1:], 10, 16)
			return peer[:i], err == nil
		default:
			return "", false
		}
	}
	return "", false
}

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo4 = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

// addrKey is the canonical key of an address.
func addrKey(a netip.Addr) string { return prefixKey(a, 64) }

// prefixKey is addrKey with another prefix for IPv6.
func prefixKey(a netip.Addr, bits int) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		b := a.As16()
		switch {
		case nat64.Contains(a):
			a = netip.AddrFrom4([4]byte(b[12:16]))
		case sixTo4.Contains(a):
			a = netip.AddrFrom4([4]byte(b[2:6]))
		default:
			p, _ := a.Prefix(bits) // of an IPv6 address: can't fail
			return p.String()
		}
	}
	return a.String()
}

// parseHost reads an address that may have a port, and brackets if it is IPv6:
// the forms in which proxies report.
func parseHost(s string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a, nil
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr(), nil
	}
	if n := len(s); n > 2 && s[0] == '[' && s[n-1] == ']' {
		if a, err := netip.ParseAddr(s[1 : n-1]); err == nil && a.Is6() {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("ratelimit: not an address")
}

// isAlnum is shared by the readers of addresses and of Forwarded.
func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
