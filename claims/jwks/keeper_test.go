package jwks_test

import (
	"bytes"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// TestDefaultLogger is the one of the moment in which a line is written: a
// program may set it after it made its key sets.
func TestDefaultLogger(t *testing.T) {
	before := slog.Default()
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
	}()
	synctest.Test(t, func(t *testing.T) {
		slog.SetDefault(silent)
		server := newKeyServer(setOf(edJWK(1, "one")))
		c := server.config(jwks.Config{})
		c.Logger = nil
		set, err := jwks.New(c)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		path := filepath.Join(t.TempDir(), "k.json")
		write(t, path, setOf(edJWK(1, "one")))
		files, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}})
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		slog.SetDefault(slog.New(slog.NewTextHandler(&text, nil)))
		server.fail(errDown)
		write(t, path, "{")
		time.Sleep(time.Hour)
		synctest.Wait()
		offered(t, files, header("one"), 1)
		if lines := strings.Split(strings.TrimSpace(text.String()), "\n"); len(lines) != 2 || strings.Count(text.String(), `msg="jwks: `) != 2 || strings.Count(text.String(), ` error=`) != 2 {
			t.Errorf("want a line of each set, got %s", &text)
		}
	})
}

// TestStalenessCountsFromTheQuestion: an answer that took its time says how things
// were when it was asked for, at best. So does one that brought nothing new.
func TestStalenessCountsFromTheQuestion(t *testing.T) {
	const maxStale = 30 * time.Minute
	until := func(t *testing.T, set claims.KeySet, asked time.Time) {
		t.Helper()
		time.Sleep(time.Until(asked.Add(maxStale)))
		offered(t, set, header("one"), 1)
		time.Sleep(time.Nanosecond)
		unavailable(t, set, header("one"))
	}
	for name, good := range map[string]int{"a first answer": 1, "an unchanged answer": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newKeyServer(setOf(edJWK(1, "one")))
				server.latency = 4 * time.Second
				set := server.follow(t, jwks.Config{MaxStale: maxStale})
				for len(server.fetches()) < good {
					time.Sleep(time.Second)
				}
				time.Sleep(5 * time.Second)
				server.fail(errDown)
				until(t, set, server.fetches()[good-1])
			})
		})
		t.Run(name+" of files", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "k.json")
				write(t, path, setOf(edJWK(9, "one")))
				files, err := jwks.NewFiles(jwks.FilesConfig{Paths: []string{path}, Interval: time.Minute, MaxStale: maxStale, Logger: silent})
				if err != nil {
					t.Fatal(err)
				}
				if good == 1 {
					write(t, path, setOf(edJWK(1, "one")))
				}
				asked := time.Now()
				files.LookWhile(func() { time.Sleep(3 * time.Second) })
				write(t, path, "{")
				until(t, files, asked)
			})
		})
	}
}
