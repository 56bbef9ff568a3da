package ratelimit

import (
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
)

// peerWatch looks for the mistake that is easily made with RemoteIP: a proxy in front,
// so that all clients share the proxy's bucket.
type peerWatch struct {
	policy string
	logger *slog.Logger // nil is slog.Default when the line is logged
	said   atomic.Bool
}

// watchPeers is nil if key is not RemoteIP: only RemoteIP takes the peer for the client.
func watchPeers(c Config) *peerWatch {
	// A function can't be compared, but its code has an address. If that ever told too
	// little, a hint would be missing and nothing else.
	if c.Key == nil || reflect.ValueOf(c.Key).Pointer() != reflect.ValueOf(RemoteIP).Pointer() {
		return nil
	}
	return &peerWatch{policy: c.Name, logger: c.Logger}
}

// look says so, once, if r came through a proxy. key is what RemoteIP made of it.
func (p *peerWatch) look(r *http.Request, key string) {
	if p.said.Load() || !maybePrivate(key) {
		return
	}
	for _, header := range [...]string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if r.Header[header] == nil {
			continue
		}
		// The key has lost the host part of IPv6, so the peer itself is judged.
		peer, err := parseHost(r.RemoteAddr)
		if peer = peer.Unmap(); err != nil || !peer.IsPrivate() && !peer.IsLoopback() && !peer.IsLinkLocalUnicast() {
			return
		}
		if p.said.CompareAndSwap(false, true) {
			rs := responder{logger: p.logger}
			rs.slogger().WarnContext(r.Context(), "ratelimit: a proxy is in front: all its clients share one bucket, see TrustedProxies",
				"policy", p.policy, "header", header)
		}
		return
	}
}

// maybePrivate is a quick look that spares public peers the search for headers. It
// misses no private, loopback or link-local address.
func maybePrivate(key string) bool {
	switch key[0] {
	case '1':
		return strings.HasPrefix(key, "10.") || strings.HasPrefix(key, "127.") || strings.HasPrefix(key, "169.254.") ||
			strings.HasPrefix(key, "172.") || strings.HasPrefix(key, "192.168.")
	case 'f', ':':
		return true
	}
	return false
}
