package ratelimit_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// A limit by peer that stands behind a proxy says so, once.
func TestRemoteIP_behindProxy(t *testing.T) {
	proxies, err := ratelimit.TrustedProxies("X-Forwarded-For", "10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	own := func(r *http.Request) (string, error) { return ratelimit.RemoteIP(r) }
	const hint = `level=WARN msg="ratelimit: a proxy is in front: all its clients share one bucket, see TrustedProxies" policy=test header=`
	for name, c := range map[string]struct {
		key  ratelimit.KeyFunc
		r    *http.Request
		want string // the header it names; "" is no line
	}{
		"10/8":              {ratelimit.RemoteIP, request("10.0.0.1:1", "X-Forwarded-For", "192.0.2.7"), "X-Forwarded-For"},
		"172.16/12":         {ratelimit.RemoteIP, request("172.31.0.1:1", "Forwarded", "for=192.0.2.7"), "Forwarded"},
		"192.168/16":        {ratelimit.RemoteIP, request("192.168.0.1:1", "X-Real-IP", "192.0.2.7"), "X-Real-Ip"},
		"loopback":          {ratelimit.RemoteIP, request("127.0.0.1:1", "X-Forwarded-For", "192.0.2.7"), "X-Forwarded-For"},
		"IPv6 loopback":     {ratelimit.RemoteIP, request("[::1]:1", "X-Forwarded-For", "192.0.2.7"), "X-Forwarded-For"},
		"mapped":            {ratelimit.RemoteIP, request("[::ffff:10.0.0.1]:1", "X-Forwarded-For", "192.0.2.7"), "X-Forwarded-For"},
		"fd00::/8":          {ratelimit.RemoteIP, request("[fd00::1]:1", "X-Forwarded-For", "192.0.2.7"), "X-Forwarded-For"},
		"link-local":        {ratelimit.RemoteIP, request("[fe80::1%eth0]:1", "X-Forwarded-For", "192.0.2.7"), "X-Forwarded-For"},
		"link-local IPv4":   {ratelimit.RemoteIP, request("169.254.0.1:1", "X-Forwarded-For", "192.0.2.7"), "X-Forwarded-For"},
		"no header":         {ratelimit.RemoteIP, request("10.0.0.1:1"), ""},
		"public peer":       {ratelimit.RemoteIP, request("192.0.2.8:1", "X-Forwarded-For", "192.0.2.7"), ""},
		"172 but public":    {ratelimit.RemoteIP, request("172.32.0.1:1", "X-Forwarded-For", "192.0.2.7"), ""},
		"IPv6 multicast":    {ratelimit.RemoteIP, request("[ff02::1]:1", "X-Forwarded-For", "192.0.2.7"), ""},
		"TrustedProxies":    {proxies, request("10.0.0.1:1", "X-Forwarded-For", "192.0.2.7"), ""},
		"a key of your own": {own, request("10.0.0.1:1", "X-Forwarded-For", "192.0.2.7"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log lines
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(9, time.Hour), Key: c.key, Logger: log.logger()})
			h := l.Handler(ok)
			for range 3 {
				serve(h, c.r)
				if _, err := l.Check(c.r); err != nil {
					t.Error(err)
				}
			}
			if c.want == "" {
				log.want(t)
			} else {
				log.want(t, hint+c.want)
			}
		})
	}
}
