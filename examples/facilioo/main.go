// Facilioo is a server that the clients of facilioo, a property management
// system, can use without noticing: password plus party type, RS256, one-time
// refresh tokens, password recovery with six-digit codes. Copy from here for a
// login of that style; README.md says what is different from the original.
//
// The server is what New returns, a handler for any program, and so is the
// second one of NewResource, which verifies by files. This file has only flags
// and a listener: leave it behind.
//
//	go run ./examples/facilioo -user me@example.com:secret-word:PropertyManagementCompany
//
// With keys that change while both servers go on:
//
//	go run ./examples/facilioo next     -keys /tmp/keys -public /tmp/public.pem -in 0s
//	go run ./examples/facilioo          -keys /tmp/keys
//	go run ./examples/facilioo resource -keys /tmp/public.pem
//	go run ./examples/facilioo next     -keys /tmp/keys -public /tmp/public.pem -in 30s
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
	"github.com/gatehouse-go/gatehouse/issuer/signing"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run does what the command line says, until ctx ends, and returns the exit
// status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) > 0 && args[0] == "next":
		return runNext(args[1:], stdout, stderr)
	case len(args) > 0 && args[0] == "resource":
		return runResource(ctx, args[1:], stdout, stderr)
	}
	c := Config{Mails: printed{stderr}, Logger: slog.New(slog.NewTextHandler(stderr, nil))}
	rest := rest{addr: "127.0.0.1:0"}
	if status, done := parsed(flags(&c, &rest, stderr), args); done {
		return status
	}
	err := rest.complete(&c)
	var handler http.Handler
	if err == nil {
		handler, err = New(c)
	}
	if err != nil {
		fmt.Fprintln(stderr, "facilioo:", asFlags.Replace(err.Error()))
		return 2
	}
	return serve(ctx, rest.addr, handler, stdout, stderr)
}

// asFlags names the flags where New names the fields of a Config.
var asFlags = strings.NewReplacer(
	"Accounts:", "-user:", "Keys:", "-keys:", "Lead:", "-lead:", "AuthLimit:", "-auth-limit:", "MailLimit:", "-mail-limit:",
	"PartyMember:", "-party-member:", "RecoveryPage:", "-recovery-page:", "Origins:", "-origin:",
)

// rest is what flags say that is not in a Config.
type rest struct {
	addr, keys string
	second     []secondFactor
	badUser    error
}

// secondFactor is what -two-factor says of an account.
type secondFactor struct {
	email     string
	skippable bool
}

func flags(c *Config, rest *rest, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("facilioo", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("addr", "`HOST:PORT` to listen on (default 127.0.0.1:0)", address(&rest.addr))
	f.Func("access-ttl", "how long access tokens live, no longer than refresh tokens (default 1h)", between(&c.AccessLife, time.Second, 7*24*time.Hour))
	f.Func("refresh-ttl", "how long refresh tokens live (default 720h)", between(&c.RefreshLife, time.Second, 366*24*time.Hour))
	f.Func("auth-limit", "requests a minute to /api/auth from one address (default 60)", count(&c.AuthLimit, 1_000_000))
	f.Func("mail-limit", "mails with a code to one account in quick succession; then one each quarter of an hour (default 3)", count(&c.MailLimit, 100))
	f.Func("user", "`EMAIL:PASSWORD:PARTY[@COMPANY]` of an account, repeatable; PARTY is a name or number, COMPANY a number (default 2)", func(text string) error {
		a, err := parseAccount(text)
		c.Accounts, rest.badUser = append(c.Accounts, a), errors.Join(rest.badUser, err)
		return nil // package flag would print the password
	})
	f.Func("two-factor", "`EMAIL[:skippable]` of an account with a second factor, repeatable; skippable lets its client skip it", func(text string) error {
		email, skippable, _ := strings.Cut(text, ":")
		if skippable != "" && skippable != "skippable" {
			return errors.New("after the colon can only be: skippable")
		}
		rest.second = append(rest.second, secondFactor{email, skippable != ""})
		return nil
	})
	f.Func("party-member", "`NAME` of the token's member that holds the party type (default partyType)", partyMember(&c.PartyMember))
	f.BoolVar(&c.ObjectRefreshToken, "refresh-token-object", false, `answer and take {"refreshToken":{"token":"..."}} instead of a string`)
	f.BoolVar(&c.AdminUnblocksAll, "admin-unblocks-all", false, "accounts of party type Admin may unblock those of every company")
	f.Func("recovery-page", "`URL` of the page that takes recovery codes; mails have a link to it beside the code", func(text string) error {
		if c.RecoveryPage = text; !isPage(text) {
			return errors.New("must be an https URL without a fragment, or http on this host")
		}
		return nil
	})
	f.Func("origin", "`ORIGIN` such as https://app.example whose pages may call this server; repeatable", func(text string) error {
		if c.Origins = append(c.Origins, text); !isOrigin(text) {
			return errors.New("is not an origin such as https://app.example")
		}
		return nil
	})
	f.Func("outbox", "`DIR` for mails, a file each (default: mails are written to stderr)", func(text string) error {
		c.Mails = spool{text}
		return os.MkdirAll(text, 0o700)
	})
	f.StringVar(&rest.keys, "keys", "", "`DIR` of private keys, which is followed (default: one key that ends with the process)")
	f.Func("lead", "how long before it signs a key of -keys is in the key set (default 24h)", between(&c.Lead, time.Second, 366*24*time.Hour))
	f.BoolVar(&c.GluedKeys, "glued-keys", false, "publish PEM blocks without line ends between them, as some documents print them")
	return f
}

// complete adds to c what flags only name.
func (rest rest) complete(c *Config) (err error) {
	if rest.badUser != nil {
		return fmt.Errorf("-user: %w", rest.badUser)
	}
	if c.Accounts == nil {
		c.Accounts = []Account{{Email: "demo@example.com", Password: "demo-password", Party: PropertyManagementCompany, Company: 2}}
	}
	for _, factor := range rest.second {
		email, _ := ratelimit.Email(factor.email)
		i := slices.IndexFunc(c.Accounts, func(a Account) bool { return a.Email == email })
		if i < 0 {
			return fmt.Errorf("-two-factor: there is no account %s", factor.email)
		}
		c.Accounts[i].SecondFactor, c.Accounts[i].Skippable = true, factor.skippable
	}
	if rest.keys != "" {
		if c.Keys, err = signing.LoadSchedule(rest.keys, c.Logger, "RS256"); err != nil {
			return fmt.Errorf("-keys: %w (facilioo next -keys DIR -in 0s writes the first key)", err)
		}
		return nil
	}
	if c.Lead != 0 {
		return errors.New("-lead: is about -keys, which is not given")
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	key, err := signing.NewKey("RS256", private, time.Time{})
	if err != nil {
		return err
	}
	c.Keys, err = signing.NewSchedule(key)
	return err
}

func parseAccount(text string) (a Account, err error) {
	address, rest, _ := strings.Cut(text, ":")
	end := strings.LastIndexByte(rest, ':')
	if end < 1 {
		return a, errors.New("must be EMAIL:PASSWORD:PARTY")
	}
	name, company, hasCompany := strings.Cut(rest[end+1:], "@")
	a.Password, a.Company = rest[:end], 2
	if a.Email, err = ratelimit.Email(address); err != nil {
		return a, fmt.Errorf("EMAIL: %w", err)
	}
	known := false
	if a.Party, known = partyOf(name); !known {
		return a, errors.New("PARTY is neither the name nor the number of a party type")
	}
	if hasCompany {
		if a.Company, err = strconv.Atoi(company); err != nil || a.Company < 1 {
			return a, errors.New("COMPANY is not a number from 1")
		}
	}
	return a, nil
}

// runResource serves until ctx ends, and returns the exit status.
func runResource(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := ResourceConfig{Logger: slog.New(slog.NewTextHandler(stderr, nil))}
	files := jwks.FilesConfig{PEMAlgorithm: "RS256", Logger: c.Logger}
	addr := "127.0.0.1:0"
	f := flag.NewFlagSet("facilioo resource", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("addr", "`HOST:PORT` to listen on (default 127.0.0.1:0)", address(&addr))
	f.Func("keys", "`PATH` of a file of public keys, PEM or JWK Set, or of a directory of them; repeatable", func(text string) error {
		files.Paths = append(files.Paths, text)
		return nil
	})
	f.Func("refresh", "how often the files are looked at (default 10s)", between(&files.Interval, time.Second, 24*time.Hour))
	f.Func("party", "`PARTY` that sees buildings, a name or number; repeatable (default PropertyManagementCompany and Admin)", func(text string) error {
		p, known := partyOf(text)
		if c.Parties = append(c.Parties, p); !known {
			return errors.New("is neither the name nor the number of a party type")
		}
		return nil
	})
	f.Func("party-member", "`NAME` of the token's member that holds the party type (default partyType)", partyMember(&c.PartyMember))
	if status, done := parsed(f, args); done {
		return status
	}
	if c.Parties == nil {
		c.Parties = []claims.Party{PropertyManagementCompany, Admin}
	}
	keys, err := jwks.NewFiles(files)
	if err != nil {
		fmt.Fprintln(stderr, "facilioo resource: -keys:", err)
		return 2
	}
	c.Keys = keys
	handler, err := NewResource(c)
	if err != nil {
		fmt.Fprintln(stderr, "facilioo resource:", err)
		return 2
	}
	return serve(ctx, addr, handler, stdout, stderr)
}

// runNext writes the key that the server signs with next, and returns the exit
// status.
func runNext(args []string, stdout, stderr io.Writer) int {
	var dir, public string
	in := 48 * time.Hour
	f := flag.NewFlagSet("facilioo next", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&dir, "keys", "", "`DIR` of the private keys; it is made if it isn't there")
	f.StringVar(&public, "public", "", "`FILE` for the public halves of all keys, for servers that verify by files")
	f.Func("in", "when the key begins to sign: after all verifiers have it, 0s for the first (default 48h)", func(text string) (err error) {
		if in, err = time.ParseDuration(text); err != nil || in < 0 || in > 366*24*time.Hour {
			return errors.New("must be a duration from 0s to 8784h")
		}
		return nil
	})
	if status, done := parsed(f, args); done {
		return status
	}
	err := errors.New("-keys: is needed")
	if dir != "" {
		var path string
		if path, err = WriteNext(dir, public, time.Now().Add(in)); err == nil {
			fmt.Fprintln(stdout, "wrote", path)
			return 0
		}
	}
	fmt.Fprintln(stderr, "facilioo next:", strings.NewReplacer("dir: ", "-keys: ", "public: ", "-public: ").Replace(err.Error()))
	return 2
}

// parsed reads flags. If that is all there is to do, it returns the exit status.
func parsed(f *flag.FlagSet, args []string) (status int, done bool) {
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0, true
	case err != nil: // package flag has already written which and why
		return 2, true
	case f.NArg() > 0:
		fmt.Fprintf(f.Output(), "%s: %q: there are only flags\n", f.Name(), f.Arg(0))
		return 2, true
	}
	return 0, false
}

func address(addr *string) func(string) error {
	return func(text string) error {
		*addr = text
		_, err := net.ResolveTCPAddr("tcp", text)
		return err
	}
}

func between(d *time.Duration, least, most time.Duration) func(string) error {
	return func(text string) (err error) {
		if *d, err = time.ParseDuration(text); err != nil || *d < least || *d > most {
			return fmt.Errorf("must be a duration from %v to %v", least, most)
		}
		return nil
	}
}

func count(n *int, most int) func(string) error {
	return func(text string) (err error) {
		if *n, err = strconv.Atoi(text); err != nil || *n < 1 || *n > most {
			return fmt.Errorf("must be a number from 1 to %d", most)
		}
		return nil
	}
}

func partyMember(name *string) func(string) error {
	return func(text string) error {
		*name = text
		_, err := claims.NewEncoder[struct{}](dialect(text))
		return err
	}
}

// serve serves until ctx ends, and returns the exit status.
func serve(ctx context.Context, addr string, handler http.Handler, stdout, stderr io.Writer) int {
	if err := listen(ctx, addr, handler, stdout); err != nil {
		fmt.Fprintln(stderr, "facilioo:", err)
		return 1
	}
	return 0
}

func listen(ctx context.Context, addr string, handler http.Handler, stdout io.Writer) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "listening on http://%s\n", listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return server.Close()
	}
	return nil
}
