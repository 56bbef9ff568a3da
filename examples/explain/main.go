// Explain tells why a token is refused, what to set so that it is not, and whether it
// should be:
//
//	go run ./examples/explain -issuer ISS -audience A [-keys FILE-OR-URL] [-type TYP] [-leeway D] < token
//
// It checks the token by the rules of [claims.Verifier] and prints each check in order,
// ok or NO, with what was expected and what was found. Then it prints one line for each
// thing to mend:
//
//	advice: FIELD: TEXT
//	advice: none: WHAT
//
// FIELD is the name of the Go field to set. "none" says that no Config should accept the
// token, because it is WHAT: expired, an ID token, of another signature. If there is no
// "none", the literals of claims.Config and of the keys' Config follow, as they accept
// the token.
//
// Keys is a JWK Set or a PEM bundle, in a file or behind a URL. Without it the keys are
// found by discovery from the issuer. The exit code is 0 if the Config as given accepts
// the token, 1 if it refuses it, and 2 if it could not be checked. Neither the token nor
// its signature is printed. It reads the token from its input, because arguments can be
// seen by everybody on the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims"
)

const (
	accepted = iota
	refused
	unchecked
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, in io.Reader, out, problems io.Writer) int {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	flags.SetOutput(problems)
	issuer := flags.String("issuer", "", "the iss of the tokens")
	audience := flags.String("audience", "", "the name of this API in aud")
	from := flags.String("keys", "", "file or URL of a JWK Set or a PEM bundle; found from the issuer if empty")
	kind := flags.String("type", "", `the typ of access tokens; "at+jwt" if empty`)
	leeway := flags.Duration("leeway", 0, "how far clocks may differ")
	if err := flags.Parse(args); err != nil {
		return unchecked
	}
	fail := func(err error) int {
		fmt.Fprintln(problems, "explain:", err)
		return unchecked
	}
	if flags.NArg() > 0 {
		return fail(errors.New("the token is read from standard input, not from arguments"))
	}
	if *issuer == "" || *audience == "" {
		return fail(errors.New("-issuer and -audience are required"))
	}
	token, err := read(in)
	if err != nil {
		return fail(err)
	}
	keys, err := open(ctx, *from, *issuer)
	if err != nil {
		return fail(err)
	}
	defer keys.close()
	config := claims.Config{
		Issuer: *issuer, Audience: []string{*audience}, Leeway: *leeway,
		Dialect: claims.Dialect{AccessType: *kind},
	}
	checks, err := explain(ctx, config, keys, token)
	for _, c := range checks {
		fmt.Fprintf(out, "%s  %s: expected %s, found %s\n", map[bool]string{true: "ok", false: "NO"}[c.OK], c.Name, c.Expected, c.Found)
	}
	if err != nil {
		return fail(err)
	}
	good := advise(out, checks)
	if good != nil {
		fmt.Fprintf(out, "\n%s\n\n%s\n", literal(config, *kind, good), keys.literal())
	}
	if slices.ContainsFunc(checks, func(c claims.Check) bool { return !c.OK }) {
		return refused
	}
	return accepted
}

// read reads a token. Some people will paste the whole header line.
func read(in io.Reader) (string, error) {
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return "", err
	}
	if len(text) > most {
		return "", errors.New("the input is longer than any token")
	}
	token := strings.TrimSpace(string(text))
	if scheme, rest, found := strings.Cut(token, " "); found && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	if token == "" {
		return "", errors.New("no token on standard input")
	}
	return token, nil
}

// explain has the token checked. Where a key is known for another algorithm, it is
// offered for that of the token too, to see whether the signature then holds.
func explain(ctx context.Context, config claims.Config, keys *keys, token string) ([]claims.Check, error) {
	var before *claims.Check
	for {
		config.Keys = keys.set
		v, err := claims.NewVerifier[map[string]any](config)
		if err != nil {
			return nil, err
		}
		checks, err := v.Explain(ctx, token)
		i := slices.IndexFunc(checks, func(c claims.Check) bool { return !c.OK && isKeysField(c.Field) })
		switch {
		case err != nil:
			return checks, err
		case i < 0 && before == nil:
			return checks, nil
		case i < 0:
			// The algorithm was one thing to mend; what the token is refused for now is another.
			at := slices.IndexFunc(checks, func(c claims.Check) bool { return c.Name == "signature" })
			return slices.Insert(checks, max(at, 0), *before), nil
		case before != nil:
			// The key is bound to its algorithm by the issuer (RFC 8725 §3.1).
			checks[i].Field, checks[i].Value = "none: signature by an algorithm that the key is not for", ""
			return checks, nil
		}
		before = &checks[i]
		if err := keys.offer(before.Field, before.Value); err != nil {
			return checks, err
		}
	}
}

func isKeysField(field string) bool { return strings.HasPrefix(field, "jwks.") }

// advise prints what to mend, and returns it; nil if nothing should be mended.
func advise(out io.Writer, checks []claims.Check) []claims.Check {
	hopeless := map[string]bool{}
	for _, c := range checks {
		if what, none := strings.CutPrefix(c.Field, "none: "); none && !hopeless[what] {
			hopeless[what] = true
			fmt.Fprintf(out, "advice: none: %s\n", what)
		}
	}
	if len(hopeless) > 0 {
		return nil
	}
	mend := []claims.Check{}
	for _, c := range checks {
		if c.Field == "" {
			continue
		}
		mend = append(mend, c)
		if !c.OK {
			fmt.Fprintf(out, "advice: %s: %s\n", c.Field, textOf(c))
		}
	}
	return mend
}

// textOf says what to do about a check.
func textOf(c claims.Check) string {
	a, ok := advices[c.Field]
	switch {
	case !ok:
		a.text = "see its documentation"
	case a.price != "":
		return a.text + "; the price: " + a.price
	}
	if c.Value != "" {
		return a.text + ": " + c.Value
	}
	return a.text
}
