package ratelimit_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

func request(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestRemoteIP(t *testing.T) {
	for name, c := range map[string]struct{ peer, key string }{
		"IPv4":                          {"192.0.2.7:4711", "192.0.2.7"},
		"RL-06 IPv6 counts by /64":      {"[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::/64"},
		"RL-06 another host of the /64": {"[2001:db8:1:2:ffff::1]:80", "2001:db8:1:2::/64"},
		"RL-06 another /64":             {"[2001:db8:1:3::1]:80", "2001:db8:1:3::/64"},
		"RL-07 mapped":                  {"[::ffff:1.2.3.4]:80", "1.2.3.4"},
		"RL-07 mapped in hex":           {"[::FFFF:102:304]:80", "1.2.3.4"},
		"RL-07 plain":                   {"1.2.3.4:80", "1.2.3.4"},
		"RL-05 zone":                    {"[fe80::1%eth0]:80", "fe80::/64"},
		"RL-05 zone of a mapped one":    {"[::ffff:1.2.3.4%eth0]:80", "1.2.3.4"},
		"RL-27 NAT64":                   {"[64:ff9b::102:304]:80", "1.2.3.4"},
		"RL-27 6to4":                    {"[2002:102:304:5::6]:80", "1.2.3.4"},
		"RL-27 Teredo":                  {"[2001:0:102:304:5:6:7:8]:80", "2001:0:102:304::/64"},
		"RL-05 unix socket":             {"@", ""},
		"RL-05 no peer":                 {"", ""},
		"RL-05 no port":                 {"192.0.2.7", "192.0.2.7"},
		"RL-05 IPv6, no port":           {"2001:db8:1:2::3", "2001:db8:1:2::/64"},
		"RL-05 brackets, no port":       {"[2001:db8:1:2::3]", "2001:db8:1:2::/64"},
		"RL-05 a name":                  {"localhost:80", ""},
		"RL-05 leading zero":            {"192.0.2.07:80", ""},
		"RL-05 garbage":                 {"[::1:80", ""},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := ratelimit.RemoteIP(request(c.peer))
			if key != c.key || (err == nil) == (key == "") {
				t.Errorf("%q, %v; want %q", key, err, c.key)
			}
		})
	}
	t.Run("RL-03 headers change nothing", func(t *testing.T) {
		for _, h := range []string{"X-Forwarded-For", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Forwarded"} {
			key, err := ratelimit.RemoteIP(request("192.0.2.7:1", h, "for=9.9.9.9", h, "9.9.9.9"))
			if key != "192.0.2.7" || err != nil {
				t.Errorf("%s: %q, %v", h, key, err)
			}
		}
	})
}

// IPv4 is read here, all else by netip: both must know the same addresses.
func FuzzRemoteIP(f *testing.F) {
	for _, peer := range []string{
		"1.2.3.4:80", "0.0.0.0:0", "255.255.255.255:65535", "256.1.1.1:1", "1.2.3.4:65536", "1.2.3.4:", "1.2.3.4:+5",
		"1.2.3.04:1", "00.0.0.0:1", "1.2.3:1", "1.2.3.4.5:1", "1..3.4:1", ".1.2.3:1", "1.2.3.:1", "1.2.3.4", "1.2.3.4:1:2",
		":1.2.3.4:1", "1.2.3.4 :1", "1.2.3.-4:1", "[1.2.3.4]:1", "[::1]:1", "::1:1", "1.2.3.9999999999999999999999:1",
	} {
		f.Add(peer)
	}
	f.Fuzz(func(t *testing.T, peer string) {
		key, err := ratelimit.RemoteIP(&http.Request{RemoteAddr: peer})
		want, wantErr := netip.ParseAddr(peer)
		if wantErr != nil {
			var withPort netip.AddrPort
			withPort, wantErr = netip.ParseAddrPort(peer)
			want = withPort.Addr()
		}
		if wantErr != nil && strings.HasSuffix(peer, "]") { // brackets without a port are IPv6's
			if want, wantErr = netip.ParseAddr(strings.TrimPrefix(strings.TrimSuffix(peer, "]"), "[")); !want.Is6() || peer[0] != '[' {
				wantErr = errors.New("not IPv6")
			}
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %q, %v; netip says %v, %v", peer, key, err, want, wantErr)
		}
		if err == nil && want.Is4() && key != want.String() {
			t.Fatalf("%q: %q; netip says %v", peer, key, want)
		}
	})
}

func TestTrustedProxies(t *testing.T) {
	const proxy, xff, fwd = "10.0.0.1:443", "X-Forwarded-For", "Forwarded"
	for name, c := range map[string]struct {
		r   *http.Request
		key string
	}{
		"RL-03 peer is not trusted":          {request("192.0.2.7:1", xff, "9.9.9.9"), "192.0.2.7"},
		"RL-03 other headers":                {request(proxy, "X-Real-Ip", "9.9.9.9", fwd, "for=9.9.9.9"), "10.0.0.1"},
		"RL-04 proxy appends":                {request(proxy, xff, "1.1.1.1, 2.2.2.2, 192.0.2.7"), "192.0.2.7"},
		"RL-04 two lines":                    {request(proxy, xff, "1.1.1.1", xff, "2.2.2.2, 192.0.2.7"), "192.0.2.7"},
		"RL-04 two lines, last all trusted":  {request(proxy, xff, "1.1.1.1, 192.0.2.7", xff, "10.0.0.2"), "192.0.2.7"},
		"RL-04 two proxies":                  {request(proxy, xff, "1.1.1.1, 192.0.2.7, 10.9.9.9"), "192.0.2.7"},
		"RL-04 client claims to be a proxy":  {request(proxy, xff, "10.0.0.9, 192.0.2.7"), "192.0.2.7"},
		"RL-04 all trusted":                  {request(proxy, xff, "10.0.0.3, 10.0.0.2"), "10.0.0.3"},
		"RL-04 no header":                    {request(proxy), "10.0.0.1"},
		"RL-05 empty":                        {request(proxy, xff, ""), "10.0.0.1"},
		"RL-05 comma":                        {request(proxy, xff, ","), "10.0.0.1"},
		"RL-05 unknown":                      {request(proxy, xff, "1.1.1.1, unknown"), "10.0.0.1"},
		"RL-05 hidden":                       {request(proxy, xff, "_hidden"), "10.0.0.1"},
		"RL-05 malformed behind a proxy":     {request(proxy, xff, "junk, 10.0.0.2"), "10.0.0.1"},
		"RL-05 malformed left of the client": {request(proxy, xff, "junk, 192.0.2.7"), "192.0.2.7"},
		"RL-05 port":                         {request(proxy, xff, "192.0.2.7:80"), "192.0.2.7"},
		"RL-05 IPv6 and port":                {request(proxy, xff, "[2001:db8::1]:80"), "2001:db8::/64"},
		"RL-05 IPv6 in brackets":             {request(proxy, xff, "[2001:db8::1]"), "2001:db8::/64"},
		"RL-05 IPv4 in brackets":             {request(proxy, xff, "[192.0.2.7]"), "10.0.0.1"},
		"RL-05 mapped client":                {request(proxy, xff, "::ffff:192.0.2.7"), "192.0.2.7"},
		"RL-05 mapped proxy":                 {request("[::ffff:10.0.0.1]:1", xff, "192.0.2.7"), "192.0.2.7"},
		"RL-05 zone":                         {request(proxy, xff, "fe80::1%eth0"), "fe80::/64"},
		"RL-05 10000 proxies":                {request(proxy, xff, "192.0.2.7"+strings.Repeat(", 10.0.0.1", 10_000)), "10.0.0.1"},
		"RL-05 32 proxies":                   {request(proxy, xff, "192.0.2.7"+strings.Repeat(", 10.0.0.2", 31)), "192.0.2.7"},
		"RL-05 1 MiB":                        {request(proxy, xff, strings.Repeat("1", 1<<20)), "10.0.0.1"},
		"RL-05 spaces and tabs":              {request(proxy, xff, "1.1.1.1 ,\t192.0.2.7 "), "192.0.2.7"},
		"RL-05 peer on a unix socket":        {request("@", xff, "192.0.2.7"), "192.0.2.7"},
		"RL-05 unix socket, no header":       {request("@"), ""},
		"RL-05 unix socket, malformed":       {request("", xff, "unknown"), ""},
		"RL-05 peer that is none":            {request("garbage", xff, "192.0.2.7"), ""},
		"RL-04 proxy without a port":         {request("10.0.0.1", xff, "192.0.2.7"), "192.0.2.7"},
		"RL-04 peer without a port":          {request("192.0.2.8", xff, "192.0.2.7"), "192.0.2.8"},
		"RL-04 nginx on a unix socket":       {request("@", xff, "192.0.2.7, unix:"), "192.0.2.7"},
		"RL-04 nginx, proxy before it":       {request(proxy, xff, "192.0.2.7, 10.0.0.2, unix:"), "192.0.2.7"},
		"RL-04 nginx, all trusted":           {request("@", xff, "unix:, 10.0.0.2"), "10.0.0.2"},
		"RL-04 nginx alone":                  {request("@", xff, "unix:"), ""},
		"RL-04 nginx alone behind a proxy":   {request(proxy, xff, "unix:"), "10.0.0.1"},
		"RL-04 client claims to be nginx":    {request("@", xff, "9.9.9.9, unix:, 192.0.2.7"), "192.0.2.7"},
		"RL-05 33 sockets":                   {request(proxy, xff, "192.0.2.7"+strings.Repeat(", unix:", 33)), "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) { wantKey(t, c.r, c.key, xff, "10.0.0.0/8", "unix") })
	}
	for name, c := range map[string]struct{ value, key string }{
		"plain":                     {`for=192.0.2.7`, "192.0.2.7"},
		"case and other parameters": {`proto=https;FOR=192.0.2.7;by=10.0.0.1`, "192.0.2.7"},
		"quoted IPv6 and port":      {`for="[2001:db8::1]:4711"`, "2001:db8::/64"},
		"rightmost untrusted":       {`for=1.1.1.1, for=192.0.2.7;proto=http , for=10.0.0.1`, "192.0.2.7"},
		"unknown":                   {`for=1.1.1.1, for=unknown`, "10.0.0.1"},
		"hidden":                    {`for=_x`, "10.0.0.1"},
		"no for":                    {`for=1.1.1.1, proto=http`, "10.0.0.1"},
		"two for":                   {`for=1.1.1.1;for=2.2.2.2`, "10.0.0.1"},
		"no for, then the proxy":    {`proto=https, for=192.0.2.7`, "192.0.2.7"},
		"no for, then two proxies":  {`proto=https, for=10.0.0.1`, "10.0.0.1"},
		"junk, then the proxy":      {`==;"\, for=192.0.2.7`, "192.0.2.7"},
		"open quote":                {`for="evil, for=192.0.2.7`, "192.0.2.7"},
		"quote closed by another":   {`for=9.9.9.9;x=", for="192.0.2.7"`, "192.0.2.7"},
		"escaped quotes":            {`for=192.0.2.7;host="\", for=9.9.9.9;x=\"y"`, "10.0.0.1"},
		"host in quotes":            {`for=192.0.2.7;host="x, for=9.9.9.9;y=z";proto=https`, "192.0.2.7"},
		"nginx on a unix socket":    {`for=192.0.2.7, for="unix:"`, "10.0.0.1"}, // "unix" isn't named
		"no pair before the comma":  {`for=9.9.9.9, ;, for=192.0.2.7`, "192.0.2.7"},
		"33 commas":                 {`for=192.0.2.7` + strings.Repeat(",", 33), "10.0.0.1"},
		"escape":                    {`for="9.9.9\.9"`, "10.0.0.1"},
		"comma in quotes":           {`for=192.0.2.7;x="a, for=9.9.9.9"`, "192.0.2.7"},
		"trailing comma":            {`for=192.0.2.7,`, "192.0.2.7"}, // RFC 9110 section 5.6.1
		"trailing semicolon":        {`for=192.0.2.7;`, "192.0.2.7"}, // RFC 7239 section 4: [ pair ] *( ";" [ pair ] )
		"empty value":               {`for=`, "10.0.0.1"},
		"nothing":                   {``, "10.0.0.1"},
		"1 MiB":                     {`for=` + strings.Repeat("1", 1<<20) + `, for=192.0.2.7`, "192.0.2.7"},
	} {
		t.Run("RL-05 Forwarded "+name, func(t *testing.T) {
			wantKey(t, request(proxy, fwd, c.value, xff, "9.9.9.9"), c.key, "forwarded", "10.0.0.1")
		})
	}
	t.Run("RL-04 Forwarded in two lines", func(t *testing.T) {
		wantKey(t, request(proxy, fwd, "for=1.1.1.1", fwd, "for=192.0.2.7"), "192.0.2.7", fwd, "10.0.0.1")
		for _, broken := range []string{`for="`, `junk`, ``, `proto=https`, `for=1.1.1.1;for=2.2.2.2`} {
			wantKey(t, request(proxy, fwd, broken, fwd, "for=192.0.2.7"), "192.0.2.7", fwd, "10.0.0.1")
		}
		wantKey(t, request(proxy, fwd, `for="`, fwd, "for=10.0.0.1"), "10.0.0.1", fwd, "10.0.0.1")
	})
	t.Run("RL-05 unix socket that was not named", func(t *testing.T) {
		wantKey(t, request("@", xff, "192.0.2.7"), "", xff, "10.0.0.1")
	})
	t.Run("IPv6 networks", func(t *testing.T) {
		wantKey(t, request("[fd00::1]:1", xff, "192.0.2.7"), "192.0.2.7", xff, "fd00::/8", "::ffff:10.0.0.0/104")
		wantKey(t, request(proxy, xff, "192.0.2.7"), "192.0.2.7", xff, "fd00::/8", "::ffff:10.0.0.0/104")
	})
}

func wantKey(t *testing.T, r *http.Request, want, header string, networks ...string) {
	t.Helper()
	f, err := ratelimit.TrustedProxies(header, networks...)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := f(r); key != want || (err == nil) == (key == "") {
		t.Errorf("%q, %v; want %q", key, err, want)
	}
}

func TestTrustedProxies_refuses(t *testing.T) {
	for _, c := range [][]string{
		{"", "10.0.0.0/8"},
		{"X-Forwaded-For", "10.0.0.0/8"},
		{"X-Forwarded-Host", "10.0.0.0/8"},
		{"X Real IP", "10.0.0.0/8"},
		{"X-Forwarded-For", "10.0.0.0/7"},
		{"X-Forwarded-For", "fc00::/6"},
		{"X-Forwarded-For", "8.0.0.0/7"},
		{"X-Forwarded-For", "::ffff:8.0.0.0/103"},
		{"X-Forwarded-For"},
		{"X-Forwarded-For", "0.0.0.0/0"},
		{"X-Forwarded-For", "::/0"},
		{"X-Forwarded-For", "::ffff:0.0.0.0/96"},
		{"X-Forwarded-For", "128.0.0.0/1"},
		{"X-Forwarded-For", "2000::/3"},
		{"X-Forwarded-For", "10.0.0.1/8"},
		{"X-Forwarded-For", "10.0.0.0/33"},
		{"X-Forwarded-For", "localhost"},
		{"X-Forwarded-For", "fe80::1%eth0"},
		{"X-Forwarded-For", "10.0.0.0/8", ""},
	} {
		t.Run(fmt.Sprint("RL-24 ", c), func(t *testing.T) {
			if f, err := ratelimit.TrustedProxies(c[0], c[1:]...); err == nil || f != nil {
				t.Error("made")
			}
		})
	}
	_, err := ratelimit.TrustedProxies("No", "one", "two")
	for _, mistake := range []string{"No", "one", "two"} {
		if err == nil || !strings.Contains(err.Error(), mistake) {
			t.Errorf("%s is not in: %v", mistake, err)
		}
	}
}

// The widest networks that may be trusted, beside the narrowest that may not (above).
func TestTrustedProxies_widest(t *testing.T) {
	wantKey(t, request("10.0.0.1:1", "X-Forwarded-For", "192.0.2.7"), "192.0.2.7", "X-Forwarded-For", "10.0.0.0/8")
	wantKey(t, request("[fdff::1]:1", "X-Forwarded-For", "192.0.2.7"), "192.0.2.7", "X-Forwarded-For", "fc00::/7")
}

// A header that holds one address is under the same trust.
func TestTrustedProxies_single(t *testing.T) {
	for _, header := range []string{"X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "x-envoy-external-address"} {
		for name, c := range map[string]struct {
			r   *http.Request
			key string
		}{
			"proxy":                 {request("10.0.0.1:1", header, " 192.0.2.7 ", "X-Forwarded-For", "9.9.9.9"), "192.0.2.7"},
			"IPv6":                  {request("10.0.0.1:1", header, "2001:db8::1"), "2001:db8::/64"},
			"trusted address":       {request("10.0.0.1:1", header, "10.0.0.9"), "10.0.0.9"},
			"unix":                  {request("@", header, "192.0.2.7"), "192.0.2.7"},
			"peer is not trusted":   {request("192.0.2.8:1", header, "9.9.9.9"), "192.0.2.8"},
			"missing":               {request("10.0.0.1:1", "X-Forwarded-For", "9.9.9.9"), "10.0.0.1"},
			"missing on unix":       {request("@", "X-Forwarded-For", "9.9.9.9"), ""},
			"twice":                 {request("10.0.0.1:1", header, "9.9.9.9", header, "192.0.2.7"), "10.0.0.1"},
			"a list":                {request("10.0.0.1:1", header, "9.9.9.9, 192.0.2.7"), "10.0.0.1"},
			"unix: is not a client": {request("10.0.0.1:1", header, "unix:"), "10.0.0.1"},
		} {
			t.Run(header+" "+name, func(t *testing.T) { wantKey(t, c.r, c.key, header, "10.0.0.0/8", "unix") })
		}
	}
}

func TestAddrKey(t *testing.T) {
	for _, c := range []struct {
		addr string
		bits int
		key  string
	}{
		{"192.0.2.7", 64, "192.0.2.7"},
		{"192.0.2.7", 48, "192.0.2.7"},
		{"::ffff:192.0.2.7", 56, "192.0.2.7"},
		{"64:ff9b::102:304", 56, "1.2.3.4"},
		{"2001:db8:1:2ff:3::4", 64, "2001:db8:1:2ff::/64"},
		{"2001:db8:1:2ff:3::4", 56, "2001:db8:1:200::/56"},
		{"2001:db8:1:2ff:3::4%eth0", 32, "2001:db8::/32"},
		{"2001:db8::1", 31, ""},
		{"2001:db8::1", 65, ""},
		{"2001:db8::1", 0, ""},
		{"192.0.2.7", 0, ""},
	} {
		if key := ratelimit.AddrKey(netip.MustParseAddr(c.addr), c.bits); key != c.key {
			t.Errorf("%s by /%d is %q, want %q", c.addr, c.bits, key, c.key)
		}
	}
	if key := ratelimit.AddrKey(netip.Addr{}, 64); key != "" {
		t.Errorf("no address is %q", key)
	}
	remote, err := ratelimit.RemoteIP(request("[2001:db8:1:2::3]:80"))
	if key := ratelimit.AddrKey(netip.MustParseAddr("2001:db8:1:2::4"), 64); err != nil || key != remote {
		t.Errorf("%q, RemoteIP says %q", key, remote)
	}
}

// A key is an address or a /64 in its one canonical form, or there is none.
func FuzzTrustedProxies(f *testing.F) {
	for _, s := range []string{"1.1.1.1, 192.0.2.7", `for="[2001:db8::1]:80";proto=http, for=10.0.0.1`, `for="a, for=1.1.1.1`, "::ffff:1.2.3.4", ",", "fe80::1%a"} {
		f.Add("10.0.0.1:1", s, s)
		f.Add("@", s, "")
	}
	xff, err := ratelimit.TrustedProxies("X-Forwarded-For", "10.0.0.0/8", "unix")
	if err != nil {
		f.Fatal(err)
	}
	fwd, err := ratelimit.TrustedProxies("Forwarded", "10.0.0.0/8", "unix")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, peer, one, two string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {one, two}, "Forwarded": {one, two}}}
		for _, key := range []ratelimit.KeyFunc{ratelimit.RemoteIP, xff, fwd} {
			k, err := key(r)
			if (err == nil) != (k != "") {
				t.Fatalf("%q, %v", k, err)
			}
			if err != nil {
				continue
			}
			if p, err := netip.ParsePrefix(k); err == nil && p.String() == k && p.Bits() == 64 && p.Masked() == p {
				continue
			}
			if a, err := netip.ParseAddr(k); err != nil || a.String() != k || !a.Is4() {
				t.Fatalf("key is %q", k)
			}
		}
		// What a client writes in front of what the proxy appends has no say.
		r.Header = http.Header{"X-Forwarded-For": {one, two + ", 192.0.2.7"}}
		r.RemoteAddr = "10.0.0.1:1"
		if k, err := xff(r); k != "192.0.2.7" || err != nil {
			t.Fatalf("spoofed: %q, %v", k, err)
		}
		r.Header = http.Header{"Forwarded": {one, two + ", for=192.0.2.7"}}
		if k, err := fwd(r); k != "192.0.2.7" || err != nil {
			t.Fatalf("spoofed: %q, %v", k, err)
		}
	})
}

func TestEmail(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":                         {"victim@example.com", "victim@example.com"},
		"RL-09 case":                    {"Victim@Example.COM", "victim@example.com"},
		"RL-09 leading space":           {" victim@example.com", "victim@example.com"},
		"RL-09 trailing space":          {"victim@example.com ", "victim@example.com"},
		"RL-09 tab and line end":        {"\tvictim@example.com\r\n", "victim@example.com"},
		"RL-09 %20":                     {"%20victim@example.com", ""},
		"RL-09 NUL":                     {"victim@example.com\x00", ""},
		"RL-09 NUL inside":              {"vic\x00tim@example.com", ""},
		"RL-09 zero width":              {"victim\u200b@example.com", ""},
		"RL-09 no-break space":          {"\u00a0victim@example.com", ""},
		"LO-12 full width":              {"\uff56ictim@example.com", ""},
		"LO-12 Kelvin":                  {"\u212aim@example.com", ""},
		"LO-12 long s":                  {"\u017fam@example.com", ""},
		"LO-12 dotless i":               {"v\u0131ctim@example.com", ""},
		"LO-12 NFC":                     {"caf\u00e9@example.com", ""},
		"LO-12 NFD":                     {"cafe\u0301@example.com", ""},
		"LO-12 full-width @":            {"victim\uff20example.com", ""},
		"LO-12 dot of CJK":              {"victim@example\u3002com", ""},
		"LO-12 trailing dot":            {"victim@example.com.", ""},
		"LO-12 space inside":            {"vic tim@example.com", ""},
		"LO-12 quoted":                  {`"victim"@example.com`, ""},
		"LO-12 comment":                 {"victim(x)@example.com", ""},
		"LO-12 display name":            {"V <victim@example.com>", ""},
		"LO-12 literal":                 {"victim@[192.0.2.7]", ""},
		"RL-12 plus tag is kept":        {"Victim+A@example.com", "victim+a@example.com"},
		"RL-12 dots are kept":           {"v.i.c@example.com", "v.i.c@example.com"},
		"dots in a row":                 {"v..c@example.com", ""},
		"two @":                         {"a@b@c", ""},
		"no @":                          {"victim", ""},
		"nothing before @":              {"@example.com", ""},
		"nothing behind @":              {"victim@", ""},
		"nothing":                       {"", ""},
		"RL-22 1 MiB":                   {strings.Repeat("x", 1<<20) + "@example.com", ""},
		"longer than 254":               {"a@" + strings.Repeat("x.", 126) + "x", ""},
		"local part longer than 64":     {strings.Repeat("x", 65) + "@example.com", ""},
		"local part of 64":              {strings.Repeat("x", 64) + "@example.com", strings.Repeat("x", 64) + "@example.com"},
		"internationalised domain, ACE": {"victim@XN--bcher-kva.example", "victim@xn--bcher-kva.example"},
		"host without dot":              {"root@localhost", "root@localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ratelimit.Email(c.in)
			if got != c.want || (err == nil) == (got == "") {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			if err != nil && len(c.in) > 3 && strings.Contains(err.Error(), c.in) {
				t.Errorf("the error repeats the address: %v", err)
			}
		})
	}
}

// An accepted address is its own canonical form's canonical form, in printable
// lower-case ASCII, and spelled alike but for case and space around it.
func FuzzEmail(f *testing.F) {
	for _, s := range []string{" Victim+a@Example.com\t", "a@b", "\u212a@b", "a@b.", `"a"@b`, "%20a@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ratelimit.Email(s)
		if err != nil {
			if got != "" {
				t.Fatalf("%q beside %v", got, err)
			}
			return
		}
		if again, err := ratelimit.Email(got); err != nil || again != got {
			t.Fatalf("%q becomes %q, %v", got, again, err)
		}
		if !strings.EqualFold(strings.TrimSpace(s), got) {
			t.Fatalf("%q became %q", s, got)
		}
		for _, c := range []byte(got) {
			if c <= ' ' || c > '~' || 'A' <= c && c <= 'Z' {
				t.Fatalf("%q contains %q", got, c)
			}
		}
	})
}

func TestKeyFunc_failureRefuses(t *testing.T) {
	for name, key := range map[string]ratelimit.KeyFunc{
		"error":         func(*http.Request) (string, error) { return "", errors.New("secret") },
		"error and key": func(*http.Request) (string, error) { return "k", errors.New("secret") },
		"empty":         func(*http.Request) (string, error) { return "", nil },
		"none":          nil,
	} {
		t.Run("RL-05 "+name, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Config{Limit: ratelimit.Per(9, time.Hour), Key: key, Logger: quietLog})
			if d, err := l.Check(request("192.0.2.7:1")); err == nil || d.Allowed {
				t.Errorf("%+v, %v", d, err)
			}
			w := serve(l.Handler(mustNotRun(t)), request("192.0.2.7:1"))
			if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}
