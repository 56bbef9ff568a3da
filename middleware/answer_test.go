package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/middleware"
)

// situation is one way to be refused.
type situation struct {
	name      string
	g         *guard
	r         func() *http.Request
	is        error
	status    int
	challenge string
	detail    string
}

func situations(c middleware.Config) []situation {
	if c.Logger == nil {
		c.Logger = quiet
	}
	with := func(values ...string) func() *http.Request {
		return func() *http.Request { return bearer(values...) }
	}
	g := middleware.New(people, c)
	down := middleware.New(failing(errors.New("redis: dial tcp 10.0.0.7:6379")), c)
	panics := middleware.New(verifyFunc(func(context.Context, string) (*caller, error) { panic("kid-7 of /etc/keys") }), c)
	return []situation{
		{"missing", g, with(), middleware.ErrMissing, 401, missing, "An access token is required."},
		{"malformed", g, with("Bearer a", "Bearer b"), middleware.ErrMalformed, 400, malformed, "The request must carry exactly one access token."},
		{"invalid", g, with("Bearer c"), claims.ErrInvalid, 401, invalid, "The access token is not valid."},
		{"forbidden", g.Only(admin), with("Bearer token-b"), middleware.ErrForbidden, 403, forbidden, "The access token does not allow this."},
		{"unavailable", down, with("Bearer token-a"), middleware.ErrUnavailable, 503, "", "Access can not be checked at the moment."},
		{"panic", panics, with("Bearer token-a"), nil, 500, "", "The request could not be handled."},
	}
}

// TestAnswers looks at every answer whole.
func TestAnswers(t *testing.T) {
	for _, s := range situations(middleware.Config{}) {
		t.Run("RS-04 RS-06 RS-12 "+s.name, func(t *testing.T) {
			r := s.r()
			r.Header.Set("Accept", "text/html")
			r.URL.RawQuery = "error=<script>"
			w := refused(t, s.g.Handler, r, s.status, s.challenge)
			want := http.Header{
				"Cache-Control":          {"no-store"},
				"Content-Type":           {"application/problem+json"},
				"X-Content-Type-Options": {"nosniff"},
			}
			if s.challenge != "" {
				want["Www-Authenticate"] = []string{s.challenge}
			}
			if s.status == 503 {
				want["Retry-After"] = []string{"5"}
			}
			if got := w.Header(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("header %v, want %v", got, want)
			}
			var body, wantBody any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			_ = json.Unmarshal(fmt.Appendf(nil, `{"type":"about:blank","title":%q,"status":%d,"detail":%q}`,
				http.StatusText(s.status), s.status, s.detail), &wantBody)
			if fmt.Sprint(body) != fmt.Sprint(wantBody) {
				t.Errorf("body %s", w.Body)
			}
		})
		t.Run("Check "+s.name, func(t *testing.T) {
			c, err := s.g.Check(s.r())
			if c != nil || middleware.Status(err) != s.status || s.is != nil && !errors.Is(err, s.is) {
				t.Errorf("Check: %v, %v with status %d", c, err, middleware.Status(err))
			}
			for _, other := range situations(middleware.Config{}) {
				if other.is != nil && other.is != s.is && errors.Is(err, other.is) {
					t.Errorf("%v also matches %v", err, other.is)
				}
			}
		})
	}
	t.Run("Check admits", func(t *testing.T) {
		c, err := newGuard().Only(admin).Check(bearer("Bearer token-a"))
		if err != nil || c == people["token-a"] || !reflect.DeepEqual(c, people["token-a"]) {
			t.Errorf("%v, %v", c, err)
		}
	})
}

func TestStatus(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
	}{
		{nil, 500},
		{middleware.ErrMissing, 401},
		{middleware.ErrMalformed, 400},
		{middleware.ErrForbidden, 403},
		{middleware.ErrUnavailable, 503},
		{claims.ErrInvalid, 401},
		{claims.ErrExpired, 401},
		{context.Canceled, 503},
		{errors.New("other"), 503},
		{fmt.Errorf("wrapped: %w", middleware.ErrForbidden), 403},
		{errors.Join(claims.ErrInvalid, context.DeadlineExceeded), 503},
	} {
		if got := middleware.Status(row.err); got != row.status {
			t.Errorf("%v has status %d, want %d", row.err, got, row.status)
		}
	}
}

// counter is a ResponseWriter that counts.
type counter struct {
	*httptest.ResponseRecorder
	headers int
}

func (c *counter) WriteHeader(status int) {
	c.headers++
	c.ResponseRecorder.WriteHeader(status)
}

func TestOneAnswer(t *testing.T) {
	denies := map[string]func(http.ResponseWriter, *http.Request, error){
		"default": nil,
		"Deny":    func(w http.ResponseWriter, _ *http.Request, err error) { http.Error(w, "no", middleware.Status(err)) },
		"silent":  func(http.ResponseWriter, *http.Request, error) {},
		"double":  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(418); w.WriteHeader(200) },
	}
	for name, deny := range denies {
		for _, s := range situations(middleware.Config{Deny: deny}) {
			t.Run("RS-10 "+name+" "+s.name, func(t *testing.T) {
				w := &counter{ResponseRecorder: httptest.NewRecorder()}
				inside := new(room)
				s.g.Handler(inside).ServeHTTP(w, s.r())
				if w.headers != 1 || len(inside.visits) != 0 {
					t.Errorf("WriteHeader %d times, visits %q", w.headers, inside.visits)
				}
			})
		}
	}
	t.Run("a length meant for another answer is dropped", func(t *testing.T) {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Length", "7")
		newGuard().Handler(new(room)).ServeHTTP(w, bearer())
		if got := w.Header().Get("Content-Length"); got != "" {
			t.Errorf("Content-Length %q", got)
		}
	})
}

func TestHead(t *testing.T) {
	for _, s := range situations(middleware.Config{}) {
		r := s.r()
		r.Method = "HEAD"
		refused(t, s.g.Handler, r, s.status, s.challenge)
	}
	// RFC 9110 §8.6: the fields of HEAD are those of GET, the length too. net/http drops
	// the body.
	server := httptest.NewServer(newGuard().Handler(new(room)))
	defer server.Close()
	lengths := map[string]int64{}
	for _, method := range []string{"GET", "HEAD"} {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if has := len(body) > 0; err != nil || has == (method == "HEAD") {
			t.Errorf("%s: %q, %v", method, body, err)
		}
		lengths[method] = answer.ContentLength
	}
	if lengths["GET"] <= 0 || lengths["GET"] != lengths["HEAD"] {
		t.Errorf("lengths %v", lengths)
	}
}

func TestRetryAfter(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "5", 1: "1", time.Second: "1", time.Second + 1: "2", time.Minute: "60", 1<<63 - 1: "9223372037",
	} {
		g := middleware.New(failing(errors.New("down")), middleware.Config{Logger: quiet, RetryAfter: d})
		if got := refused(t, g.Handler, bearer("Bearer x"), 503, "").Header().Get("Retry-After"); got != want {
			t.Errorf("RetryAfter %v is %q, want %q", d, got, want)
		}
	}
}

// TestNoOracle compares the answers to tokens that are wrong in different ways.
func TestNoOracle(t *testing.T) {
	g := middleware.New(realVerifier(t), middleware.Config{Logger: quiet})
	good := token(t, goodHeader, goodPayload(""))
	rows := map[string]string{
		"expired":             token(t, goodHeader, `{"iss":"https://id.example","sub":"u1","aud":"api","exp":1000000000}`),
		"bad signature":       good[:len(good)-10] + "AAAAAAAAAA",
		"unknown kid":         token(t, `{"alg":"RS256","kid":"k2","typ":"at+jwt"}`, goodPayload("")),
		"wrong aud":           token(t, goodHeader, strings.Replace(goodPayload(""), `"api"`, `"other"`, 1)),
		"malformed":           "x",
		"RS-01 kid with CRLF": token(t, `{"alg":"RS256","kid":"k\"\\\r\n\r\nSet-Cookie: x=1","typ":"at+jwt"}`, goodPayload("")),
		"RS-01 sub with CRLF": token(t, goodHeader, strings.Replace(goodPayload(""), `"aud":"api"`, `"aud":"\"\r\nSet-Cookie: x=1"`, 1)),
	}
	allowed := regexp.MustCompile(`^Bearer (?:[a-z_]+="[\x20-\x21\x23-\x5B\x5D-\x7E]*"(?:, |$))+$`)
	var first string
	for name, value := range rows {
		t.Run("RS-02 "+name, func(t *testing.T) {
			w := refused(t, g.Handler, bearer("Bearer "+value), 401, invalid)
			if whole := fmt.Sprint(w.Code, w.Header(), w.Body); first == "" {
				first = whole
			} else if whole != first {
				t.Errorf("answer %s\nothers %s", whole, first)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); !allowed.MatchString(challenge) {
				t.Errorf("challenge %q", challenge)
			}
		})
	}
	t.Run("the log tells them apart", func(t *testing.T) {
		var lines journal
		g := middleware.New(realVerifier(t), middleware.Config{Logger: lines.logger()})
		serve(g.Handler(new(room)), bearer("Bearer "+rows["expired"]))
		if got := lines.String(); !strings.Contains(got, "expired") || !strings.Contains(got, "level=DEBUG") {
			t.Errorf("log %q", got)
		}
	})
}

func TestUnavailable(t *testing.T) {
	for name, err := range map[string]error{
		"RS-03 ErrUnavailable": middleware.ErrUnavailable,
		"RS-03 deadline":       context.DeadlineExceeded,
		"RS-05 any other":      errors.New(`pq: relation "sessions" at 10.0.0.7, kid k7 in /etc/keys.pem, *sql.DB, eyJhbGciOiJSUzI1NiJ9`),
	} {
		t.Run(name, func(t *testing.T) {
			var lines journal
			g := middleware.New(failing(err), middleware.Config{Logger: lines.logger()})
			w := refused(t, g.Handler, bearer("Bearer token-a"), 503, "")
			whole := fmt.Sprint(w.Header(), w.Body)
			for _, inside := range []string{"pq", "sessions", "10.0.0.7", "k7", "/etc", "sql", "eyJ", "token-a", "deadline", "middleware"} {
				if strings.Contains(whole, inside) {
					t.Errorf("%q is in the answer %s", inside, whole)
				}
			}
			if !strings.Contains(lines.String(), "level=ERROR") {
				t.Errorf("log %q", lines.String())
			}
		})
	}
}

// TestLog is about what strangers can do to the log.
// TestRefuse answers what Check decided, and compares with Handler.
func TestRefuse(t *testing.T) {
	deny := func(w http.ResponseWriter, _ *http.Request, err error) {
		fmt.Fprint(w, middleware.Status(err), err.Error() != "")
	}
	none := httptest.NewRecorder()
	if middleware.New(people, middleware.Config{Deny: deny}).Refuse(none, bearer(), nil); none.Code != 503 {
		t.Errorf("no error: %d", none.Code)
	}
	for _, c := range []middleware.Config{{}, {Deny: deny}} {
		for _, s := range situations(c) {
			want := serve(s.g.Handler(new(room)), s.r())
			_, err := s.g.Check(s.r())
			for _, err := range []error{err, fmt.Errorf("wrapped: %w", err)} {
				got := httptest.NewRecorder()
				s.g.Refuse(got, s.r(), err)
				if got.Code != want.Code || !reflect.DeepEqual(got.Header(), want.Header()) || got.Body.String() != want.Body.String() {
					t.Errorf("%s: %d %v %s, by Handler %d %v %s", s.name, got.Code, got.Header(), got.Body, want.Code, want.Header(), want.Body)
				}
			}
		}
	}
	var nobody *guard
	for err, status := range map[error]int{nil: 503, errors.New("x"): 503, claims.ErrExpired: 401, middleware.ErrForbidden: 403} {
		w := httptest.NewRecorder()
		nobody.Refuse(w, bearer(), err)
		if w.Code != status {
			t.Errorf("%v: %d, want %d", err, w.Code, status)
		}
	}
}

func TestLog(t *testing.T) {
	const nasty = "x\nlevel=INFO msg=\"login ok\"\x1b[2J\u202e\x00"
	t.Run("RS-07 injection", func(t *testing.T) {
		var seen []string
		sink := slog.New(recorder(func(r slog.Record) {
			r.Attrs(func(a slog.Attr) bool { seen = append(seen, a.Value.String()); return true })
		}))
		for _, g := range []*guard{
			middleware.New(stub{"x": {Subject: nasty, Party: nasty}}, middleware.Config{Logger: sink}).Only(admin),
			middleware.New(failing(errors.New(nasty+strings.Repeat("é", 100_000))), middleware.Config{Logger: sink}),
		} {
			serve(g.Handler(new(room)), bearer("Bearer x"))
		}
		if len(seen) != 8 { // status, method, path and reason each
			t.Fatalf("logged %q", seen)
		}
		for _, value := range seen {
			if len(value) > 8<<10 || regexp.MustCompile(`[^\x20-\x7e]`).MatchString(value) {
				t.Errorf("logged %q", value)
			}
		}
	})
	t.Run("levels", func(t *testing.T) {
		var lines journal
		for _, s := range situations(middleware.Config{Logger: lines.logger()}) {
			lines.b.Reset()
			mux := http.NewServeMux()
			mux.Handle("GET /{$}", s.g.Handler(new(room)))
			serve(mux, s.r())
			level := "level=DEBUG"
			if s.status >= 500 {
				level = "level=ERROR"
			}
			if got := lines.String(); !strings.Contains(got, level) || strings.Count(got, "\n") != 1 ||
				!strings.Contains(got, fmt.Sprint("status=", s.status)) || !strings.Contains(got, `pattern="GET /{$}"`) {
				t.Errorf("%s: log %q", s.name, got)
			}
		}
		for _, s := range situations(middleware.Config{Logger: lines.logger()}) {
			lines.b.Reset()
			level := "level=DEBUG"
			if s.status >= 500 {
				level = "level=ERROR"
			}
			if _, _ = s.g.Check(s.r()); !strings.Contains(lines.String(), level) {
				t.Errorf("%s: log of Check %q", s.name, lines.String())
			}
		}
	})
	t.Run("one error a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var lines journal
			g := middleware.New(failing(errors.New("down")), middleware.Config{Logger: lines.logger()})
			for _, want := range []string{"reason", "unlogged=99\n", "unlogged=99\n"} {
				lines.b.Reset()
				for range 100 {
					serve(g.Only(admin).Handler(new(room)), bearer("Bearer token-a"))
				}
				if got := lines.String(); strings.Count(got, "level=ERROR") != 1 || strings.Count(got, "level=DEBUG") != 99 || !strings.Contains(got, want) {
					t.Errorf("log %q, want one error with %q", got[:200], want)
				}
				time.Sleep(time.Second)
			}
		})
	})
	t.Run("quotes once", func(t *testing.T) {
		var seen string
		sink := slog.New(recorder(func(r slog.Record) {
			r.Attrs(func(a slog.Attr) bool { seen += a.Value.String(); return true })
		}))
		g := middleware.New(failing(errors.New("a \"b\" \\ \n é")), middleware.Config{Logger: sink})
		if serve(g.Handler(new(room)), bearer("Bearer x")); !strings.HasSuffix(seen, `a "b" \ \x0a \xc3\xa9`) {
			t.Errorf("logged %q", seen)
		}
	})
	t.Run("admission is not logged", func(t *testing.T) {
		var lines journal
		g := middleware.New(people, middleware.Config{Logger: lines.logger()})
		serve(g.Handler(new(room)), bearer("Bearer token-a"))
		serve(g.Optional(new(room)), bearer())
		if lines.String() != "" {
			t.Errorf("log %q", lines.String())
		}
	})
}

// recorder is a slog.Handler that hands its records on as they are.
type recorder func(slog.Record)

func (recorder) Enabled(context.Context, slog.Level) bool        { return true }
func (f recorder) Handle(_ context.Context, r slog.Record) error { f(r); return nil }
func (f recorder) WithAttrs([]slog.Attr) slog.Handler            { return f }
func (f recorder) WithGroup(string) slog.Handler                 { return f }

func TestPanics(t *testing.T) {
	explode := func(p any) func() { return func() { panic(p) } }
	var nilMap map[string]int
	for name, bang := range map[string]func(){
		"a string": explode("secret-7"), "an error": explode(errors.New("secret-7")), "nil": explode(nil),
		"the runtime": func() { nilMap["x"] = 1 },
	} {
		t.Run("RS-09 "+name, func(t *testing.T) {
			var lines, errs journal
			inside := new(room)
			c := middleware.Config{Logger: lines.logger()}
			mux := http.NewServeMux()
			mux.Handle("/verify", middleware.New(verifyFunc(func(context.Context, string) (*caller, error) {
				bang()
				return people["token-a"], nil
			}), c).Handler(inside))
			mux.Handle("/require", middleware.New(people, c).Require(func(*http.Request, *caller) error { bang(); return nil }).Handler(inside))
			mux.Handle("/fine", middleware.New(people, c).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			server := httptest.NewUnstartedServer(mux)
			server.Config.ErrorLog = log.New(&errs, "", 0)
			server.Start()
			defer server.Close()
			for path, status := range map[string]int{"/verify": 500, "/require": 500, "/fine": 200} {
				r, _ := http.NewRequest("GET", server.URL+path, nil)
				r.Header.Set("Authorization", "Bearer token-a")
				resp, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != status || bytes.Contains(body, []byte("secret")) || bytes.Contains(body, []byte("goroutine")) {
					t.Errorf("%s: answer %d %q", path, resp.StatusCode, body)
				}
			}
			if got := lines.String(); strings.Count(got, `stack="goroutine`) != 2 || errs.String() != "" || len(inside.visits) != 0 {
				t.Errorf("log %q, server's log %q, visits %q", got, errs.String(), inside.visits)
			}
		})
	}
	untouched := func(t *testing.T, h http.Handler, want any) {
		t.Helper()
		defer func() {
			if p := recover(); p != want {
				t.Errorf("panic %v, want %v", p, want)
			}
		}()
		w := serve(h, bearer("Bearer token-a"))
		t.Errorf("answer %d", w.Code)
	}
	t.Run("ErrAbortHandler of a check", func(t *testing.T) {
		untouched(t, newGuard().Require(func(*http.Request, *caller) error { panic(http.ErrAbortHandler) }).Handler(new(room)), http.ErrAbortHandler)
	})
	t.Run("next", func(t *testing.T) {
		untouched(t, newGuard().Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("next") })), "next")
	})
}

// TestDisconnect has a client that goes away while its token is verified. The
// bubble would not end with a goroutine left.
func TestDisconnect(t *testing.T) {
	t.Run("RS-13", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var lines journal
			g := middleware.New(verifyFunc(func(ctx context.Context, _ string) (*caller, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}), middleware.Config{Logger: lines.logger()})
			ctx, leave := context.WithCancel(t.Context())
			inside, w := new(room), httptest.NewRecorder()
			go g.Handler(inside).ServeHTTP(w, bearer("Bearer x").WithContext(ctx))
			synctest.Wait()
			leave()
			synctest.Wait()
			if w.Code != 503 || len(inside.visits) != 0 || strings.Contains(lines.String(), "ERROR") {
				t.Errorf("answer %d, visits %q, log %q", w.Code, inside.visits, lines.String())
			}
		})
	})
}

// TestPassage shows that a guard that admits is not in the way.
func TestPassage(t *testing.T) {
	w := httptest.NewRecorder()
	newGuard().Handler(http.HandlerFunc(func(got http.ResponseWriter, r *http.Request) {
		if got != http.ResponseWriter(w) {
			t.Errorf("the writer is a %T", got)
		}
		if c, ok := claims.FromContext[account](r.Context()); !ok || c.App.Tenant != "t1" {
			t.Errorf("caller %v", c)
		}
		if r.Header.Get("X-User-Id") != "u" {
			t.Error("the request's header was changed")
		}
	})).ServeHTTP(w, func() *http.Request {
		r := bearer("Bearer token-a")
		r.Header.Set("X-User-Id", "u")
		return r
	}())
	if len(w.Header()) != 0 {
		t.Errorf("header %v", w.Header())
	}
}
