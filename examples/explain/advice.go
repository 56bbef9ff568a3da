package main

import (
	"fmt"
	"go/format"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims"
)

// advice is what is said about a field.
type advice struct {
	text  string
	price string // what an Insecure field gives up
}

// advices are about the fields that the flags of this command leave to be mended.
var advices = map[string]advice{
	"Config.Issuer":     {text: "the token names this issuer, and its signature holds under the keys; compare every character, the last slash too"},
	"Config.Audience":   {text: "set it to the name of your API as the issuer writes it, if the token is meant for this API"},
	"Config.Leeway":     {text: "the issuer's clock is ahead of this one; set both right, or allow for it"},
	"Config.MaxBytes":   {text: "the token is longer than allowed"},
	"Config.MaxMembers": {text: "the payload has more members than allowed"},

	"Dialect.AccessType":     {text: "the header says another typ; set it if the issuer writes this one for access tokens"},
	"Dialect.AbsentType":     {text: "the header has no typ"},
	"Dialect.PartyMember":    {text: "the member is neither a string nor an integer: name the member that holds the party"},
	"Dialect.NumericParty":   {text: "the party is written in the other form"},
	"Dialect.ScopeList":      {text: "the scope is an array"},
	"Dialect.SubjectMember":  {text: "the subject stands in another member"},
	"Dialect.NumericSubject": {text: "the subject is written in the other form"},
	"Dialect.ObjectSubject":  {text: "the subject is written in the other form"},
	"Dialect.AbsentSubject":  {text: "the token has no subject, as tokens of machines have none"},
	"Dialect.Time":           {text: "dates are written in another form"},

	"Dialect.InsecureNoIssuer":   {"better make the issuer write iss; true accepts tokens without it", "nothing but the key ties a token to its issuer (RFC 8725 §3.8)"},
	"Dialect.InsecureNoAudience": {"better make the issuer write aud; true accepts tokens without it", "a token for any service of the issuer opens this one (RFC 8725 §3.9)"},
	"Dialect.InsecureNoExpiry":   {"better make the issuer write exp; true accepts tokens without it", "a stolen token is good for ever"},

	"jwks.Config.Algorithms":        {text: "the issuer's key is known for another algorithm; name all that it signs with"},
	"jwks.FilesConfig.Algorithms":   {text: "the key is known for another algorithm; name all that the issuer signs with"},
	"jwks.FilesConfig.PEMAlgorithm": {text: "keys of a PEM bundle have one algorithm; name that of the tokens"},
}

// literal returns the Config that accepts the token, as Go source.
func literal(c claims.Config, kind string, mend []claims.Check) string {
	config := fields{}
	dialect := fields{}
	config.set("Issuer", fmt.Sprintf("%q", c.Issuer), "")
	config.set("Audience", fmt.Sprintf("[]string{%q}", c.Audience[0]), "")
	config.set("Keys", "", "")
	config.set("Dialect", "", "")
	if c.Leeway > 0 {
		config.set("Leeway", fmt.Sprintf("%d * time.Millisecond", c.Leeway.Milliseconds()), "")
	}
	if kind != "" {
		dialect.set("AccessType", fmt.Sprintf("%q", kind), "")
	}
	for _, m := range mend {
		in, name, _ := strings.Cut(m.Field, ".")
		price := advices[m.Field].price
		switch {
		case m.Value == "":
		case in == "Config":
			note := ""
			if name == "MaxLife" {
				note = "exp - iat: nothing else tells access tokens from other kinds"
			}
			config.set(name, m.Value, note)
		case in == "Dialect":
			dialect.set(name, m.Value, price)
		}
		// What a token lacks must not be asked for.
		switch m.Field {
		case "Dialect.InsecureNoIssuer":
			config.drop("Issuer")
		case "Dialect.InsecureNoAudience":
			config.drop("Audience")
		}
	}
	var b strings.Builder
	b.WriteString("claims.Config{\n")
	for _, f := range config {
		switch {
		case f.name == "Keys":
			b.WriteString("// Keys: the set that the Config below makes.\n")
		case f.name == "Dialect" && len(dialect) > 0:
			b.WriteString("Dialect: claims.Dialect{\n" + dialect.String() + "},\n")
		case f.value != "":
			b.WriteString(fields{f}.String())
		}
	}
	b.WriteString("}")
	return formatted(b.String())
}

// fields are those of a literal.
type fields []struct{ name, value, note string }

func (f *fields) set(name, value, note string) {
	for i := range *f {
		if (*f)[i].name == name {
			(*f)[i].value, (*f)[i].note = value, note
			return
		}
	}
	*f = append(*f, struct{ name, value, note string }{name, value, note})
}

func (f *fields) drop(name string) { f.set(name, "", "") }

func (f fields) String() string {
	var b strings.Builder
	for _, field := range f {
		fmt.Fprintf(&b, "%s: %s,", field.name, field.value)
		if field.note != "" {
			b.WriteString(" // " + field.note)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// formatted is a literal as gofmt writes it.
func formatted(literal string) string {
	const before = "package p\n\nvar _ = "
	source, err := format.Source([]byte(before + literal + "\n"))
	if err != nil {
		return literal
	}
	return strings.TrimSpace(strings.TrimPrefix(string(source), before))
}
