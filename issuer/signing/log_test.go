package signing_test

import (
	"encoding/json"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer/signing"
)

// TestWithoutALoggerTheDefaultIsLookedUpForEachLine sets the default logger after
// LoadSchedule, as programs do that read their configuration first.
func TestWithoutALoggerTheDefaultIsLookedUpForEachLine(t *testing.T) {
	before, output, flags := slog.Default(), log.Writer(), log.Flags()
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(output)
		log.SetFlags(flags)
	}()
	dir := keyDir(t)
	writeKey(t, dir, "19990101T000000Z.pem", newEd25519(t))
	synctest.Test(t, func(t *testing.T) {
		keys, err := signing.LoadSchedule(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		slog.SetDefault(slog.New(slog.NewJSONHandler(&text, nil)))
		if err := os.WriteFile(filepath.Join(dir, "notes.pem"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 3 { // it is said once
			time.Sleep(10 * time.Second)
			mustMint(t, keys)
		}
		var line struct{ Level, Msg, Error string }
		if err := json.Unmarshal([]byte(text.String()), &line); err != nil {
			t.Fatalf("%v: %s", err, text.String())
		}
		if line.Level != "ERROR" || !strings.HasPrefix(line.Msg, "signing: ") || !strings.Contains(line.Error, "notes.pem") {
			t.Errorf("logged %+v", line)
		}
	})
}
