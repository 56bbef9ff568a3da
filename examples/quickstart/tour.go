package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// tourLife is how long access tokens live on a tour, so that it sees one expire.
const tourLife = 3 * time.Second

// runTour starts the server on a free port, uses it as clients and attackers
// would, and fails unless every answer is the right one.
func runTour(ctx context.Context, out io.Writer) error {
	outbox := &mailbox{}
	app, err := newApp(Settings{AccessLife: tourLife, Mail: outbox.put, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener, app) }()

	t := &traveller{ctx: ctx, out: out, base: "http://" + listener.Addr().String(), mail: outbox}
	t.comeIn()
	t.refresh()
	t.recover()
	t.limits()
	t.foreignTokens()
	t.expire()
	cancel()
	t.check("the server stops when it is told to", <-served == nil, "graceful shutdown")
	if t.failed > 0 {
		return fmt.Errorf("%d of %d steps came out wrong", t.failed, t.steps)
	}
	fmt.Fprintf(out, "\nall %d steps came out right\n", t.steps)
	return nil
}

// traveller is the client. It goes on after a wrong answer, and counts it.
type traveller struct {
	ctx           context.Context
	out           io.Writer
	base          string
	mail          *mailbox
	steps, failed int

	firstAccess string
	firstLogin  time.Time
}

type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (t *traveller) chapter(name string) { fmt.Fprintf(t.out, "\n%s\n", name) }

func (t *traveller) check(what string, ok bool, proof string) {
	t.steps++
	mark := "ok   "
	if !ok {
		t.failed++
		mark = "WRONG"
	}
	fmt.Fprintf(t.out, "  %s  %-52s  %s\n", mark, what, proof)
}

// expect checks the status of an answer.
func (t *traveller) expect(what string, got *reply, status int, proof string) {
	t.check(fmt.Sprintf("%s: %d", what, got.status), got.status == status, proof)
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r *reply) pair() (p pair) {
	if json.Unmarshal([]byte(r.body), &p) != nil {
		return pair{}
	}
	return p
}

// do sends a form, with a bearer token if there is one. What goes wrong on the
// way is status 0, which no step expects.
func (t *traveller) do(method, path, bearer string, form ...string) *reply {
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	req, err := http.NewRequestWithContext(t.ctx, method, t.base+path, strings.NewReader(values.Encode()))
	if err != nil {
		return &reply{body: err.Error()}
	}
	if len(form) > 0 {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return &reply{body: err.Error()}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return &reply{body: err.Error()}
	}
	return &reply{resp.StatusCode, resp.Header, string(body)}
}

func (t *traveller) login(email, password string) *reply {
	return t.do("POST", "/login", "", "email", email, "password", password)
}

func (t *traveller) comeIn() {
	t.chapter("Coming in")
	t.expect("no token", t.do("GET", "/me", ""), 401, "the gate is closed")
	wrong := t.login("manager@example.com", "guess")
	unknown := t.login("nobody@example.com", "guess")
	t.expect("log in with a wrong password", wrong, 400, "invalid_grant, RFC 6749")
	t.check("log in to no account: the same answer", wrong.status == unknown.status && wrong.body == unknown.body, "nobody learns which accounts exist")
	got := t.login("manager@example.com", demoPassword)
	t.expect("log in", got, 200, "an access and a refresh token")
	t.firstLogin, t.firstAccess = time.Now(), got.pair().Access
	t.check("the answer must not be stored", got.header.Get("Cache-Control") == "no-store", "RFC 6749 §5.1")
	me := t.do("GET", "/me", got.pair().Access)
	t.expect("who am I, of which party", me, 200, strings.TrimSpace(me.body))
	t.check("typed claims reach the handler", strings.Contains(me.body, `"party":"PropertyManagementCompany"`), "subject, party, and the app's own companyId")
	t.expect("a property management company sees buildings", t.do("GET", "/buildings", got.pair().Access), 200, "its party type is admitted")
	contractor := t.login("contractor@example.com", demoPassword).pair()
	denied := t.do("GET", "/buildings", contractor.Access)
	t.expect("a contractor does not", denied, 403, "wrong party type")
	t.check("and is told so", strings.Contains(denied.header.Get("WWW-Authenticate"), `error="insufficient_scope"`), "RFC 6750 challenge")
	t.expect("a refresh token opens nothing", t.do("GET", "/me", contractor.Refresh), 401, "access is not refresh")
	t.expect("a token with one character changed", t.do("GET", "/me", flip(contractor.Access)), 401, "the signature is checked")
}

// flip changes a character in the middle of a token's payload.
func flip(token string) string {
	b := []byte(token)
	if len(b) == 0 {
		return ""
	}
	if i := len(b) / 2; b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

func (t *traveller) refresh() {
	t.chapter("Staying in")
	spend := func(token string) *reply {
		return t.do("POST", "/refresh", "", "grant_type", "refresh_token", "refresh_token", token)
	}
	first := t.login("contractor@example.com", demoPassword).pair()
	second := spend(first.Refresh)
	t.expect("refresh", second, 200, "a new pair")
	t.expect("the new access token opens", t.do("GET", "/me", second.pair().Access), 200, "nobody noticed")
	t.expect("the spent refresh token again", spend(first.Refresh), 400, "it may have been stolen")
	t.expect("so its session has ended", spend(second.pair().Refresh), 400, "thief and owner are both out")
	third := t.login("contractor@example.com", demoPassword).pair()
	t.expect("an access token does not refresh", spend(third.Access), 400, "access is not refresh")
	t.expect("log out", t.do("POST", "/logout", "", "token", third.Refresh), 200, "RFC 7009")
	t.expect("refresh after that", spend(third.Refresh), 400, "the session has ended")
}

func (t *traveller) recover() {
	t.chapter("Coming back without a password")
	const victim = "contractor@example.com"
	start := func(email string) *reply { return t.do("POST", "/recovery", "", "email", email) }
	redeem := func(code string) *reply {
		return t.do("PUT", "/recovery", "", "email", victim, "recoveryCode", code, "password", "another-password")
	}
	t.expect("ask for a code", start(victim), 204, "a mail is sent")
	t.expect("ask for somebody unknown", start("nobody@example.com"), 204, "the same answer, and no mail")
	right := t.mail.code(victim)
	t.check("mails sent: "+fmt.Sprint(t.mail.count()), t.mail.count() == 1 && right != "", "one account, one code")
	for i := range 5 {
		t.expect(fmt.Sprintf("wrong code %d", i+1), redeem("AAAAAAAA"), 400, "paid for before it was looked at")
	}
	sixth := redeem(right)
	t.expect("the sixth guess is the right code", sixth, 429, "blocked: it was not looked at")
	t.check("blocked for "+sixth.header.Get("Retry-After")+" s", sixth.header.Get("Retry-After") == "86400", "24 hours")
	t.expect("asking for another code", start(victim), 429, "no way around the block")
	session := t.login(victim, demoPassword)
	t.expect("log in with the password", session, 200, "the block touches recovery only")
	unblock := func(bearer string) *reply { return t.do("POST", "/recovery/unblock", bearer, "email", victim) }
	t.expect("a contractor can't unblock", unblock(session.pair().Access), 403, "wrong party type")
	t.expect("an admin can", unblock(t.login("admin@example.com", demoPassword).pair().Access), 204, "Admin or PropertyManagementCompany")
	t.expect("the old code", redeem(right), 400, "the block has voided it")
	t.expect("a new code", start(victim), 204, "recovery works again")
	right = t.mail.code(victim)
	t.expect("set a new password with it", redeem(right), 204, "all sessions end with the old one")
	t.expect("the same code again", redeem(right), 400, "a code is redeemed once")
	fourth := start(victim)
	t.expect("a fourth mail within the hour", fourth, 429, "three an hour: the owner's code is not voided without end")
	t.check("mails to the account: "+fmt.Sprint(t.mail.count()), t.mail.count() == 2, "one of three was asked for while it was blocked")
	t.expect("the old password", t.login(victim, demoPassword), 400, "it has been replaced")
	t.expect("the sessions from before", t.do("POST", "/refresh", "", "grant_type", "refresh_token", "refresh_token", session.pair().Refresh), 400, "all have ended")
}

func (t *traveller) limits() {
	t.chapter("How often")
	access := t.login("manager@example.com", demoPassword).pair().Access
	first := t.do("GET", "/me", access)
	t.check("RateLimit: "+first.header.Get("RateLimit"), first.status == 200 && first.header.Get("RateLimit") != "", "how much is left, in the IETF draft's terms")
	last := first
	for range 300 {
		if last = t.do("GET", "/me", access); last.status != 200 {
			break
		}
	}
	t.expect("more than 60 requests in a minute", last, 429, "DefaultRateLimitAuth and others are named policies")
	t.check("Retry-After: "+last.header.Get("Retry-After"), last.header.Get("Retry-After") == "1", "whoever waits that long is admitted")
	contractor := t.login("contractor@example.com", "another-password").pair().Access
	t.expect("somebody else at the same moment", t.do("GET", "/me", contractor), 200, "each account has its own limit")
	admin := t.do("GET", "/me", t.login("admin@example.com", demoPassword).pair().Access)
	t.check("RateLimit-Policy: "+admin.header.Get("RateLimit-Policy"), strings.HasPrefix(admin.header.Get("RateLimit-Policy"), `"Admin"`), "an admin is under another policy")
	for range 60 {
		if last = t.login("admin@example.com", "guess"); last.status == 429 {
			break
		}
	}
	t.expect("many logins from one address", last, 429, "password guessing ends here")
	t.check("says only when to come back", last.header.Get("Retry-After") != "" && last.header.Get("RateLimit") == "", "how many guesses remain is nobody's business")
}

//go:embed facilioo
var samples embed.FS

// foreignTokens checks a token that a public document shows, with the keys that
// the document's older and newer versions show.
func (t *traveller) foreignTokens() {
	t.chapter("Another system's token")
	dialect := claims.Dialect{AccessType: "JWT", ObjectSubject: true}
	verify := func(bundle string) error {
		token, err1 := samples.ReadFile("facilioo/sample.jwt")
		pem, err2 := samples.ReadFile("facilioo/" + bundle)
		keys, err3 := claims.ParsePEM(pem, "RS256")
		set, err4 := claims.NewKeySet(keys...)
		v, err5 := claims.NewVerifier[struct{}](claims.Config{Issuer: "dev-api.facilioo.de", Audience: []string{"dev-app.facilioo.de"}, Keys: set, Dialect: dialect})
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			return err
		}
		_, err := v.Verify(t.ctx, strings.TrimSpace(string(token)))
		return err
	}
	older, newer := verify("older.pem"), verify("newer.pem")
	t.check("under the older document's key", errors.Is(older, claims.ErrExpired), "the signature is good, and it expired in 2022")
	t.check("under the newer document's three keys", errors.Is(newer, claims.ErrInvalid) && !errors.Is(newer, claims.ErrExpired), "invalid: none of them signed it")
}

func (t *traveller) expire() {
	t.chapter("Going")
	select {
	case <-time.After(time.Until(t.firstLogin.Add(tourLife))):
	case <-t.ctx.Done():
	}
	got := t.do("GET", "/me", t.firstAccess)
	t.expect(fmt.Sprintf("the first access token, %v later", tourLife), got, 401, "expired")
	t.check("and is told so", strings.Contains(got.header.Get("WWW-Authenticate"), `error="invalid_token"`), "the client refreshes now")
}

// mailbox keeps what would be sent.
type mailbox struct {
	mu    sync.Mutex
	mails []string
}

func (m *mailbox) put(to, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = append(m.mails, to+" "+text)
}

func (m *mailbox) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mails)
}

// code returns the last code that was sent to an address.
func (m *mailbox) code(to string) (code string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mail := range m.mails {
		if strings.HasPrefix(mail, to+" ") {
			code = mail[strings.LastIndexByte(mail, ' ')+1:]
		}
	}
	return code
}
