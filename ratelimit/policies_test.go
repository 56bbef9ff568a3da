package ratelimit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

func bySubject(r *http.Request) (string, error) { return r.Header.Get("Subject"), nil }

var named = map[string]ratelimit.KeyFunc{"subject": bySubject}

func TestParsePolicies(t *testing.T) {
	configs, err := ratelimit.ParsePolicies([]byte(`{
		"DefaultRateLimitAuth": {"limit": 5, "per": "1m", "key": "remote-ip", "quiet": true},
		"Search": {"limit": 100, "per": "1s", "burst": 300, "key": "subject", "legacy": "X-RateLimit"},
		"None": {"limit": 1, "per": "24h"}
	}`), ratelimit.Config{Key: bySubject}, named)
	if err != nil || len(configs) != 3 {
		t.Fatal(configs, err)
	}
	c := configs[0]
	if c.Name != "DefaultRateLimitAuth" || c.Limit != ratelimit.Per(5, time.Minute) || !c.Quiet || c.Legacy != "" {
		t.Errorf("%+v", c)
	}
	c = configs[1]
	if c.Name != "Search" || c.Limit != (ratelimit.Limit{Rate: 100, Burst: 300}) || c.Quiet || c.Legacy != "X-RateLimit" {
		t.Errorf("%+v", c)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Subject", "ann")
	for i, want := range []string{"192.0.2.1", "ann", "ann"} {
		if key, err := configs[i].Key(r); key != want || err != nil {
			t.Errorf("key of %s is %q, %v; want %q", configs[i].Name, key, err, want)
		}
	}
	if configs, err := ratelimit.ParsePolicies([]byte(`{}`), ratelimit.Config{}, nil); len(configs) != 0 || err != nil {
		t.Error(configs, err)
	}
	breaker := newBreaker(t, ratelimit.BreakerConfig{Store: newMoody()})
	configs, err = ratelimit.ParsePolicies([]byte(`{"a": {"limit": 9, "per": "1h", "localShare": 0.5}, "b": {"limit": 9, "per": "1h", "failOpen": true}}`), ratelimit.Config{Key: bySubject, Store: breaker}, nil)
	if err != nil || configs[0].LocalShare != 0.5 || !configs[1].FailOpen || configs[1].Store != breaker {
		t.Error(configs, err)
	}
}

// Every mistake is reported, with the policy and the member.
func TestParsePolicies_mistakes(t *testing.T) {
	for text, want := range map[string][]string{
		``:         {"not one JSON object"},
		`[]`:       {"not one JSON object"},
		`null`:     {"not one JSON object"},
		`{"a":`:    {"not one JSON object"},
		`{} {}`:    {"not one JSON object"},
		`{"a":[]}`: {`policy "a": not one JSON object`},
		`{"a":{}}`: {`"a": member "limit" is missing`, `"a": member "per" is missing`, `"a": member "key" is missing`},
		`{"a b":{"limit":1,"per":"1s","key":"subject"}}`:                                          {`policy "a b": ratelimit: Config.Name`},
		`{"a":{"limit":1,"per":"1s","key":"subject","Limit":2}}`:                                  {`member "Limit" is not known`},
		`{"a":{"limit":1,"limit":2,"per":"1s","key":"subject"}}`:                                  {`member "limit" is given twice`},
		`{"a":{"limit":"1","per":1,"key":null,"quiet":"yes"}}`:                                    {`"limit" must be a int`, `"per" must be a string`, `"key" must be`, `"quiet" must be a bool`},
		`{"a":{"limit":1.5,"per":"-1s","key":"nobody"}}`:                                          {`"limit" must be`, `"key" names no key function: "nobody"`},
		`{"a":{"limit":1,"per":"-1s","burst":"x","key":"subject"}}`:                               {`"per" is not a duration above 0`, `"burst" must be`},
		`{"a":{"limit":0,"per":"1s","key":"subject"}}`:                                            {"Limit.Rate", "Limit.Burst"},
		`{"a":{"limit":1,"per":"1s","burst":0,"key":"subject"}}`:                                  {"Limit.Burst"},
		`{"a":{"limit":-1,"per":"1s","burst":5,"key":"subject"}}`:                                 {"Limit.Rate"},
		`{"a":{"limit":1,"per":"1s","key":"subject","legacy":"X"}}`:                               {"Config.Legacy"},
		`{"a":{"limit":1,"per":"1s","key":"subject","failOpen":true}}`:                            {"NewBreaker"},
		`{"a":{"limit":1,"per":"1s"},"b":{"limit":0,"key":"subject"}}`:                            {`"a": member "key" is missing`, `"b": member "per" is missing`},
		`{"a":{"limit":1,"per":"1s","key":"subject"},"a":{"limit":2,"per":"1s","key":"subject"}}`: {`policy "a": is given twice`},
	} {
		configs, err := ratelimit.ParsePolicies([]byte(text), ratelimit.Config{}, named)
		if err == nil || configs != nil {
			t.Errorf("%s: accepted", text)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v\nlacks %s", text, err, w)
			}
		}
	}
}

// While requests come in, the set is loaded anew: each sees one state or the
// other, and what was spent stays spent.
func TestSet_reload(t *testing.T) {
	set, err := ratelimit.NewSet()
	if err != nil {
		t.Fatal(err)
	}
	load := func(text string) error {
		configs, err := ratelimit.ParsePolicies([]byte(text), ratelimit.Config{}, named)
		if err != nil {
			return err
		}
		return set.Replace(configs...)
	}
	policy := func(limit int) string {
		return fmt.Sprintf(`{"p": {"limit": %d, "per": "1h", "key": "remote-ip"}}`, limit)
	}
	if err := load(policy(1000)); err != nil {
		t.Fatal(err)
	}
	h := set.Handler("p")(http.NotFoundHandler())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if w.Code != http.StatusNotFound {
					t.Errorf("%d", w.Code)
				}
			}
		})
	}
	for i := range 50 {
		if err := load(policy(1000 + i)); err != nil {
			t.Error(err)
		}
		if err := load(`{"p": {"limit": 0}}`); err == nil {
			t.Error("a mistake was accepted")
		}
	}
	wg.Wait()
	if err := load(policy(2)); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusTooManyRequests {
		t.Errorf("%d: what was spent is forgotten", w.Code)
	}
}

func TestSet_Choose(t *testing.T) {
	set, err := ratelimit.NewSet(
		ratelimit.Config{Name: "party-guest", Limit: ratelimit.Per(1, time.Hour), Key: bySubject},
		ratelimit.Config{Name: "party-admin", Limit: ratelimit.Per(3, time.Hour), Key: bySubject},
	)
	if err != nil {
		t.Fatal(err)
	}
	h := set.Choose(func(r *http.Request) string { return "party-" + r.Header.Get("Party") })(http.NotFoundHandler())
	for party, want := range map[string][]int{
		"guest":    {404, 429, 429, 429},
		"admin":    {404, 404, 404, 429},
		"stranger": {503, 503, 503, 503},
		"":         {503},
	} {
		for i, code := range want {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Subject", "ann")
			r.Header.Set("Party", party)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != code {
				t.Errorf("request %d of %q: %d, want %d", i+1, party, w.Code, code)
			}
		}
	}
}

// No text makes a set that New would refuse, or a panic.
func FuzzParsePolicies(f *testing.F) {
	f.Add([]byte(`{"DefaultRateLimitAuth": {"limit": 5, "per": "1m", "burst": 7, "key": "remote-ip", "quiet": true, "legacy": "X-RateLimit"}}`))
	f.Add([]byte(`{"a":{"limit":1e3,"per":"1ns","localShare":0.1,"failOpen":false,"key":"subject"},"a":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		configs, err := ratelimit.ParsePolicies(text, ratelimit.Config{}, named)
		if err != nil {
			if configs != nil {
				t.Errorf("%v, %v", configs, err)
			}
			return
		}
		if _, err := ratelimit.NewSet(configs...); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
