package issuerredis

import (
	"context"
	"crypto/sha1"
	_ "embed" // the scripts
	"encoding/hex"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed load.lua
var loadText string

//go:embed swap.lua
var swapText string

//go:embed list.lua
var listText string

var (
	loadScript = newScript(loadText)
	swapScript = newScript(swapText)
	listScript = newScript(listText)
)

// script is a script that is sent once and then named by its digest.
type script struct{ text, digest string }

func newScript(text string) script {
	digest := sha1.Sum([]byte(text)) // what Redis names scripts by
	return script{text, hex.EncodeToString(digest[:])}
}

// run runs the script on one key. If the server doesn't know the digest, it has
// done nothing, and gets the text.
func (s script) run(ctx context.Context, client redis.UniversalClient, key string, parameters ...any) (*redis.Cmd, error) {
	c, err := once(ctx, client, "evalsha", s.digest, key, parameters)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		return once(ctx, client, "eval", s.text, key, parameters)
	}
	return c, err
}

func once(ctx context.Context, client redis.UniversalClient, name, script, key string, parameters []any) (*redis.Cmd, error) {
	c := redis.NewCmd(ctx, append([]any{name, script, 1, key}, parameters...)...)
	err := client.Process(ctx, sentOnce{c})
	return c, err
}

// sentOnce is a command that go-redis does not send again. It would after a lost answer.
// But the script may have run: the second run would find the version that the first one
// stored, and report that another caller had won.
type sentOnce struct{ *redis.Cmd }

func (sentOnce) NoRetry() bool { return true }
