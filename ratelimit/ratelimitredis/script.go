package ratelimitredis

import (
	"context"
	"crypto/sha1"
	_ "embed" // the scripts
	"encoding/hex"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed clock.lua
var clockText string

//go:embed take.lua
var takeText string

//go:embed log.lua
var logText string

// script is a script that is sent once and from then on named by its digest.
type script struct{ text, digest string }

func newScript(text string) script {
	digest := sha1.Sum([]byte(text)) // what Redis names scripts by
	return script{text, hex.EncodeToString(digest[:])}
}

// run runs the script on keys. A server that doesn't know the digest has done
// nothing and gets the text. Once says that the command must not be sent again
// when its reply is lost.
func (s script) run(ctx context.Context, client redis.UniversalClient, once bool, keys []string, parameters []any) ([]int64, error) {
	reply, err := send(ctx, client, once, "evalsha", s.digest, keys, parameters)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		return send(ctx, client, once, "eval", s.text, keys, parameters)
	}
	return reply, err
}

func send(ctx context.Context, client redis.UniversalClient, once bool, name, text string, keys []string, parameters []any) ([]int64, error) {
	arguments := make([]any, 0, 3+len(keys)+len(parameters))
	arguments = append(arguments, name, text, len(keys))
	for _, key := range keys {
		arguments = append(arguments, key)
	}
	c := redis.NewCmd(ctx, append(arguments, parameters...)...)
	var command redis.Cmder = c
	if once {
		command = sentOnce{c}
	}
	if err := client.Process(ctx, command); err != nil {
		return nil, err
	}
	return c.Int64Slice()
}

// sentOnce is a command that go-redis doesn't send again after a lost reply.
type sentOnce struct{ *redis.Cmd }

func (sentOnce) NoRetry() bool { return true }
