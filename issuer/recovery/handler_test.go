package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

// site is an application with one account, ann's.
type site struct {
	*flow
	mux       *http.ServeMux
	code      string // the last that was sent
	mails     int    // that were sent
	password  string // the last that was set
	mailDown  bool
	writeDown bool
}

var errDown = errors.New("a secret of the database")

func newSite(t testing.TB, c recovery.Config) *site {
	s := &site{flow: newFlow(t, c), mux: http.NewServeMux()}
	s.mux.Handle("/recover", s.StartHandler(func(_ context.Context, email string) (func(context.Context, string) error, error) {
		if email != ann {
			return nil, nil
		}
		return func(_ context.Context, code string) error {
			if s.mailDown {
				return errDown
			}
			s.code = code
			s.mails++
			return nil
		}, nil
	}))
	s.mux.Handle("/password", s.RedeemHandler(
		func(password string) bool { return len(password) >= 8 },
		func(_ context.Context, email, password string) error {
			if s.writeDown {
				return errDown
			}
			s.password = email + "=" + password
			return nil
		}))
	s.mux.Handle("/unblock", s.UnblockHandler(func(r *http.Request, email string) (bool, error) {
		if r.Header.Get("Caller") == "broken" {
			return true, errDown
		}
		return r.Header.Get("Caller") == "admin", nil
	}))
	return s
}

// do sends JSON, or a form if body is none.
func (s *site) do(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	if !strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Caller", "admin")
	w := httptest.NewRecorder()
	of := []string{"Content-Length", "Etag", "Last-Modified"} // another answer, set further out
	for _, field := range of {
		w.Header().Set(field, "3")
	}
	s.mux.ServeHTTP(w, r)
	for _, field := range of {
		if w.Header().Get(field) != "" {
			s.t.Errorf("%s %s: %d keeps a %s that is not its own", method, path, w.Code, field)
		}
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		s.t.Errorf("%s %s: %d may be stored", method, path, w.Code)
	}
	if strings.Contains(w.Body.String(), "secret") || s.code != "" && strings.Contains(w.Body.String(), s.code) {
		s.t.Errorf("%s %s: %s", method, path, w.Body)
	}
	return w
}

func (s *site) want(method, path, body string, code int) *httptest.ResponseRecorder {
	s.t.Helper()
	w := s.do(method, path, body)
	if w.Code != code {
		s.t.Errorf("%s %s %.100s: %d %s; want %d", method, path, body, w.Code, w.Body, code)
	}
	return w
}

func start(email string) string { return fmt.Sprintf(`{"email":%q}`, email) }

func change(email, password, code string) string {
	return fmt.Sprintf(`{"email":%q,"password":%q,"recoveryCode":%q}`, email, password, code)
}

func TestHandlers(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *site){
		"start, redeem": func(t *testing.T, s *site) {
			s.want("POST", "/recover", start(ann), 204)
			s.want("PUT", "/password", change(ann, "new password", wrong(s.code)), 400)
			s.want("PUT", "/password", change(" Ann@Example.COM ", "new password", s.code), 204)
			if s.password != ann+"=new password" {
				t.Errorf("%q", s.password)
			}
			s.want("PUT", "/password", change(ann, "again and again", s.code), 400)
			if s.password != ann+"=new password" {
				t.Errorf("%q", s.password)
			}
		},
		"forms": func(t *testing.T, s *site) {
			s.want("POST", "/recover", url.Values{"email": {ann}}.Encode(), 204)
			s.want("PUT", "/password", url.Values{"email": {ann}, "password": {"pass word"}, "recoveryCode": {s.code}}.Encode(), 204)
			s.want("POST", "/unblock", url.Values{"email": {ann}}.Encode(), 204)
			s.want("POST", "/recover", "email=a%40b.c&email=a%40b.c", 400)
			s.want("POST", "/recover?email="+ann, "x=y", 400)
			s.want("POST", "/recover", "email=%zz", 400)
		},
		"a bad password costs no try": func(t *testing.T, s *site) {
			s.want("POST", "/recover", start(ann), 204)
			for range 9 {
				s.want("PUT", "/password", change(ann, "short", s.code), 400)
			}
			s.wantStatus(ann, 5, 0)
			s.want("PUT", "/password", change(ann, "long enough", s.code), 204)
		},
		"LO-21 a malformed code is answered as a wrong one": func(t *testing.T, s *site) {
			s.want("POST", "/recover", start(ann), 204)
			a := s.want("PUT", "/password", change(ann, "new password", wrong(s.code)), 400)
			b := s.want("PUT", "/password", change(ann, "new password", "x"), 400)
			if a.Body.String() != b.Body.String() {
				t.Errorf("%s and %s", a.Body, b.Body)
			}
			s.wantStatus(ann, 4, 0)
			s.want("PUT", "/password", `{"email":"ann@example.com","password":"new password","recoveryCode":123456}`, 400)
		},
		"LO-31 blocked": func(t *testing.T, s *site) {
			s.want("POST", "/recover", start(ann), 204)
			for range 5 {
				s.want("PUT", "/password", change(ann, "new password", wrong(s.code)), 400)
			}
			time.Sleep(time.Nanosecond)
			for _, w := range []*httptest.ResponseRecorder{
				s.want("PUT", "/password", change(ann, "new password", s.code), 429),
				s.want("POST", "/recover", start(ann), 429),
			} {
				if w.Header().Get("Retry-After") != "86400" {
					t.Errorf("Retry-After is %q, want it rounded up", w.Header().Get("Retry-After"))
				}
			}
			s.want("POST", "/unblock", start(ann), 204)
			s.want("POST", "/recover", start(ann), 204)
			s.want("PUT", "/password", change(ann, "new password", s.code), 204)
		},
		"30 requests are 3 mails, and the last code is good": func(t *testing.T, s *site) {
			for range 30 {
				s.want("POST", "/recover", start(ann), 204)
			}
			if s.mails != 3 {
				t.Errorf("%d mails", s.mails)
			}
			s.want("PUT", "/password", change(ann, "new password", s.code), 204)
		},
		"find limits by account": func(t *testing.T, s *site) {
			perAccount, err := ratelimit.New(ratelimit.Config{Name: "recovery-mail", Limit: ratelimit.Per(3, time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			s.mux.Handle("/limited", s.StartHandler(func(ctx context.Context, email string) (func(context.Context, string) error, error) {
				d, err := perAccount.Allow(ctx, email)
				if err == nil && !d.Allowed {
					err = &lockout.BlockedError{RetryAfter: d.RetryAfter}
				}
				return func(_ context.Context, code string) error { s.code = code; return nil }, err
			}))
			for range 3 {
				s.want("POST", "/limited", start(ann), 204)
			}
			if w := s.want("POST", "/limited", start(ann), 429); w.Header().Get("Retry-After") != "1200" {
				t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
			}
			s.redeem(ann, s.code, true)
		},
		"unblock is for whom the application allows": func(t *testing.T, s *site) {
			for caller, want := range map[string]int{"admin": 204, "stranger": 403, "broken": 503} {
				r := httptest.NewRequest("POST", "/unblock", strings.NewReader(start(ann)))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Caller", caller)
				w := httptest.NewRecorder()
				s.guess("guessed@example.com", 1)
				s.mux.ServeHTTP(w, r)
				if w.Code != want {
					t.Errorf("%s: %d, want %d", caller, w.Code, want)
				}
			}
		},
		"mail is down: as if it weren't": func(t *testing.T, s *site) {
			s.mailDown = true
			s.want("POST", "/recover", start(ann), 204)
		},
		"the password can't be written: the code is used up": func(t *testing.T, s *site) {
			s.want("POST", "/recover", start(ann), 204)
			s.writeDown = true
			s.want("PUT", "/password", change(ann, "new password", s.code), 503)
			s.writeDown = false
			s.want("PUT", "/password", change(ann, "new password", s.code), 400)
		},
		"methods": func(t *testing.T, s *site) {
			for path, method := range map[string]string{"/recover": "POST", "/password": "PUT", "/unblock": "POST"} {
				for _, m := range []string{"GET", "HEAD", "DELETE", "PATCH", "POST", "PUT"} {
					if m == method {
						continue
					}
					if w := s.want(m, path, start(ann), 405); w.Header().Get("Allow") != method {
						t.Errorf("Allow is %q", w.Header().Get("Allow"))
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newSite(t, recovery.Config{})) })
		})
	}
}

func TestBodies(t *testing.T) {
	s := newSite(t, recovery.Config{})
	for body, want := range map[string]int{
		`{"email":"ann@example.com"}`:                           204,
		`{"email":"ann@example.com"} `:                          204,
		`{"email":"ann@example.com","email":"bob@example.com"}`: 400,
		`{"email":"ann@example.com","extra":"x"}`:               400,
		`{"Email":"ann@example.com"}`:                           400,
		`{"email":["ann@example.com"]}`:                         400,
		`{"email":null}`:                                        400,
		`{"email":1}`:                                           400,
		`{"email":""}`:                                          400,
		`{}`:                                                    400,
		`{"email":"ann@example.com"}{}`:                         400,
		`{"email":"ann@example.com"`:                            400,
		`{"email":"ann@example.com",}`:                          400,
		`{"email":"ann`:                                         400,
		`{"email":"\xff@example.com"}`:                          400,
		`{"email":"nobody"}`:                                    400,
		`{"email":"` + strings.Repeat("x", 70_000) + `"}`:       413,
	} {
		s.want("POST", "/recover", body, want)
	}
	for _, types := range [][]string{nil, {"text/plain"}, {"multipart/form-data"}, {"application/json", "application/json"}} {
		r := httptest.NewRequest("POST", "/recover", strings.NewReader(start(ann)))
		for _, t := range types {
			r.Header.Add("Content-Type", t)
		}
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r)
		if w.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%q: %d", types, w.Code)
		}
	}
}

// What makes no sense is explained, in words that are the same for everybody and
// have nothing of the request, with one line at Debug. Codes and passwords that
// were looked at are answered as ever.
func TestHandlers_explain(t *testing.T) {
	var log strings.Builder
	s := newSite(t, recovery.Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	s.want("POST", "/recover", start(ann), 204)
	const (
		wrongCode = "The recovery code is wrong or expired."
		three     = "The parameters must be email, password, recoveryCode, and no others."
		code      = "The parameter recoveryCode, a string, is missing."
	)
	for _, row := range []struct{ path, body, detail, reason string }{
		{"/recover", `{"mail":"sesame"}`, "The parameter email, a string, is missing.", ""},
		{"/recover", `{"email":["sesame"]}`, "The parameter email, a string, is missing.", ""},
		{"/recover", `{"email":"sesame"}`, "An e-mail address is required.", ""},
		{"/recover", `{"email":"sesame@example.com","sesame":"1"}`, "The parameters must be email, and no others.", ""},
		{"/recover", `{"email":"sesame@example.com"`, "The body is not one JSON object.", ""},
		{"/recover", `email=sesame%40example.com&email=sesame%40example.com`, "A parameter is repeated.", ""},
		{"/password", `{"email":"sesame@example.com","password":"sesame sesame","code":"sesame"}`, code, ""},
		{"/password", `{"email":"sesame@example.com","password":"sesame sesame","recoveryCode":123456}`, code, ""},
		{"/password", `email=sesame%40example.com&password=sesame&recoveryCode=`, code, ""},
		{"/password", change("sesame@example.com", "sesame sesame", "x")[:1] + `"sesame":"",` + change("sesame@example.com", "sesame sesame", "x")[1:], three, ""},
		{"/password", change("sesame@example.com", "", "sesame"), "The parameter password, a string, is missing.", ""},
		{"/password", change("sesame@example.com", "sesame", "00000000"), "The password is not good enough.", "password"},
		{"/password", change("sesame@example.com", "sesame sesame", "00000000"), wrongCode, "wrong or expired code"},
		{"/password", change(ann, "sesame sesame", wrong(s.code)), wrongCode, "wrong or expired code"},
		{"/password", change(ann, "sesame sesame", "sesame"), wrongCode, "malformed code"},
	} {
		log.Reset()
		method := map[string]string{"/recover": "POST", "/password": "PUT"}[row.path]
		w := s.want(method, row.path, row.body, 400)
		if want := `{"type":"about:blank","title":"Bad Request","status":400,"detail":"` + row.detail + `"}` + "\n"; w.Body.String() != want {
			t.Errorf("%s: %s, want %s", row.body, w.Body, want)
		}
		if row.reason == "" {
			row.reason = row.detail
		}
		line := log.String()
		if strings.Count(line, "\n") != 1 || !strings.Contains(line, "level=DEBUG") || !strings.Contains(line, row.reason) || strings.Contains(line, "sesame") {
			t.Errorf("%s: log %q, want %q", row.body, line, row.reason)
		}
	}
	log.Reset()
	r := httptest.NewRequest("POST", "/recover", strings.NewReader(start(ann)))
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	if want := "The Content-Type must be application/x-www-form-urlencoded or application/json."; w.Code != 415 || !strings.Contains(w.Body.String(), want) || !strings.Contains(log.String(), want) {
		t.Errorf("%d %s, log %q", w.Code, w.Body, log.String())
	}
}

// LO-24 LO-31: a stranger sees no difference between ann's account and none, at
// any step, and the stores have the same work with both.
func TestUnknownAccounts(t *testing.T) {
	type trace struct {
		codes   []int
		bodies  []string
		headers []http.Header
		calls   int
	}
	walk := func(email string) (seen trace) {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			store := issuertest.Faulty(issuer.NewMemoryStore(), func(int) issuertest.Fault {
				calls++
				return issuertest.None
			})
			s := newSite(t, recovery.Config{Store: store, Lockout: newLockout(t, newLog(t, store))})
			note := func(w *httptest.ResponseRecorder) {
				seen.codes = append(seen.codes, w.Code)
				seen.bodies = append(seen.bodies, w.Body.String())
				seen.headers = append(seen.headers, w.Header())
			}
			note(s.do("POST", "/recover", start(email)))
			for range 7 {
				note(s.do("PUT", "/password", change(email, "new password", "00000000")))
				time.Sleep(time.Minute)
			}
			note(s.do("POST", "/recover", start(email)))
			time.Sleep(day)
			note(s.do("POST", "/recover", start(email)))
			note(s.do("PUT", "/password", change(email, "new password", "00000000")))
			seen.calls = calls
		})
		return seen
	}
	known, unknown := walk(ann), walk("nobody@example.com")
	if fmt.Sprint(known.codes) != fmt.Sprint(unknown.codes) || fmt.Sprint(known.bodies) != fmt.Sprint(unknown.bodies) || known.calls != unknown.calls {
		t.Errorf("LO-24 ann: %+v\nnobody: %+v", known, unknown)
	}
	for i := range known.headers {
		if !maps.EqualFunc(known.headers[i], unknown.headers[i], func(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Errorf("LO-31 answer %d: %v and %v", i, known.headers[i], unknown.headers[i])
		}
	}
	if want := "[204 400 400 400 400 400 429 429 429 204 400]"; fmt.Sprint(known.codes) != want {
		t.Errorf("%v, want %s", known.codes, want)
	}
}

// A store that fails is a 503, which says nothing else.
func TestHandlers_storeFails(t *testing.T) {
	store := issuertest.Faulty(issuer.NewMemoryStore(), func(int) issuertest.Fault { return issuertest.Unsent })
	s := newSite(t, recovery.Config{Store: store})
	for _, w := range []*httptest.ResponseRecorder{
		s.want("POST", "/recover", start(ann), 503),
		s.want("PUT", "/password", change(ann, "new password", "00000000"), 503),
		s.want("POST", "/unblock", start(ann), 503),
	} {
		if w.Header().Get("Retry-After") != "5" || strings.Contains(w.Body.String(), "fault") {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	}
	s.wantStatus(ann, 5, 0)
}

// Without functions, and without a Recovery, handlers refuse.
func TestHandlers_zero(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(silent) // a Recovery that New didn't make has no other
	f := newFlow(t, recovery.Config{})
	for name, h := range map[string]http.Handler{
		"POST start":      f.StartHandler(nil),
		"PUT redeem":      f.RedeemHandler(nil, nil),
		"POST unblock":    f.UnblockHandler(nil),
		"POST no account": new(recovery.Recovery).UnblockHandler(func(*http.Request, string) (bool, error) { return true, nil }),
		"POST nil":        (*recovery.Recovery)(nil).UnblockHandler(func(*http.Request, string) (bool, error) { return true, nil }),
	} {
		method, _, _ := strings.Cut(name, " ")
		body := start(ann)
		if method == "PUT" {
			body = change(ann, "new password", "00000000")
		}
		r := httptest.NewRequest(method, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("XX-01 %s: %d", name, w.Code)
		}
	}
}

// No body is answered in another way than these, or sets a password by itself.
func FuzzBody(f *testing.F) {
	f.Add(start(ann), true)
	f.Add(change(ann, "new password", "00000000"), true)
	f.Add("email=a%40b.c", false)
	f.Fuzz(func(t *testing.T, body string, json bool) {
		s := newSite(t, recovery.Config{Lockout: newLockout(t, lockout.NewMemoryStore(4096))})
		for path, method := range map[string]string{"/recover": "POST", "/password": "PUT"} {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", map[bool]string{true: "application/json", false: "application/x-www-form-urlencoded"}[json])
			w := httptest.NewRecorder()
			s.mux.ServeHTTP(w, r)
			switch w.Code {
			case 204, 400, 413:
			default:
				t.Errorf("%q: %d", body, w.Code)
			}
		}
		if s.password != "" {
			t.Errorf("%q set a password without a code", body)
		}
	})
}
