package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// keys are where the keys come from.
type keys struct {
	set    claims.KeySet
	ask    func() error     // makes set, of what follows
	remote jwks.Config      // where there is no folder
	files  jwks.FilesConfig // in the folder
	folder string           // to be removed at the end
	name   string           // of the file or URL, as given
}

// open finds the keys: at from, or by discovery from the issuer.
func open(ctx context.Context, from, issuer string) (*keys, error) {
	k := &keys{name: from}
	remote := func(c jwks.Config) (*keys, error) {
		c.OnDemand = true // it is asked once
		k.remote = c
		k.ask = func() error {
			set, err := jwks.New(k.remote)
			k.set = set
			return err
		}
		return k, k.ask()
	}
	if from == "" {
		return remote(jwks.Config{Issuer: issuer})
	}
	isURL := strings.HasPrefix(from, "https://") || strings.HasPrefix(from, "http://")
	text, err := contents(ctx, from, isURL)
	if err != nil {
		return nil, err
	}
	isSet := bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff"))), []byte("{"))
	if isURL && isSet {
		return remote(jwks.Config{URL: from})
	}
	// A copy, whose name says what it is and which nobody else can write to.
	if k.folder, err = os.MkdirTemp("", "explain"); err != nil {
		return nil, err
	}
	name := "keys.pem"
	if isSet {
		name = "keys.json"
	}
	copied := filepath.Join(k.folder, name)
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		return k, err
	}
	k.files.Paths = []string{copied}
	k.ask = func() error {
		set, err := jwks.NewFiles(k.files)
		k.set = set
		return err
	}
	return k, k.ask()
}

func contents(ctx context.Context, from string, isURL bool) ([]byte, error) {
	if !isURL {
		return os.ReadFile(from)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", from, answer.Status)
	}
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err == nil && len(text) > most {
		err = errors.New("the key set is longer than 1 MiB")
	}
	return text, err
}

func (k *keys) close() {
	if k.folder != "" {
		os.RemoveAll(k.folder)
	}
}

// names finds the strings in a claims.Check's Value.
var names = regexp.MustCompile(`"([^"]*)"`)

// offer makes the keys those of further algorithms. field and value are of a
// claims.Check.
func (k *keys) offer(field, value string) error {
	var algorithms []string
	for _, name := range names.FindAllStringSubmatch(value, -1) {
		algorithms = append(algorithms, name[1])
	}
	switch field {
	case "jwks.Config.Algorithms":
		k.remote.Algorithms = algorithms
	case "jwks.FilesConfig.Algorithms":
		k.files.Algorithms = algorithms
	case "jwks.FilesConfig.PEMAlgorithm":
		k.files.PEMAlgorithm = algorithms[0]
	default:
		return fmt.Errorf("%s is not known", field)
	}
	return k.ask()
}

// literal returns the Config of the keys, as Go source.
func (k *keys) literal() string {
	f := fields{}
	if k.folder == "" {
		for _, field := range []struct{ name, value string }{{"URL", k.remote.URL}, {"Issuer", k.remote.Issuer}} {
			if field.value != "" {
				f.set(field.name, fmt.Sprintf("%q", field.value), "")
			}
		}
		if k.remote.Algorithms != nil {
			f.set("Algorithms", fmt.Sprintf("%#v", k.remote.Algorithms), "")
		}
		return formatted("jwks.Config{\n" + f.String() + "}")
	}
	note := ""
	if suffix := filepath.Ext(k.files.Paths[0]); filepath.Ext(k.name) != suffix {
		note = "save it under a name that ends in " + suffix
	}
	f.set("Paths", fmt.Sprintf("[]string{%q}", k.name), note)
	if k.files.Algorithms != nil {
		f.set("Algorithms", fmt.Sprintf("%#v", k.files.Algorithms), "")
	}
	if k.files.PEMAlgorithm != "" {
		f.set("PEMAlgorithm", fmt.Sprintf("%q", k.files.PEMAlgorithm), "")
	}
	return formatted("jwks.FilesConfig{\n" + f.String() + "}")
}
