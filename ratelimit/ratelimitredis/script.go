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

//go:embed apply.lua
var applyText string

// script is a script that is sent once and from then on named by its digest. Both are
// strings, kept as any, or every command would convert them anew.
type script struct{ text, digest any }

func newScript(text string) script {
	digest := sha1.Sum([]byte(text)) // what Redis names scripts by
	return script{text, hex.EncodeToString(digest[:])}
}

// command begins a command. Its keys, and then its parameters, are to be appended.
func (s script) command(keys, parameters int) []any {
	return append(make([]any, 0, 3+keys+parameters), "evalsha", s.digest, keys)
}

// run sends a command. once says that it must not be sent again when its reply is lost.
func (s script) run(ctx context.Context, client redis.UniversalClient, once bool, command []any) (*redis.Cmd, error) {
	reply, err := send(ctx, client, once, command)
	// A server that doesn't know the digest has done nothing: sending the text is safe.
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		return send(ctx, client, once, append([]any{"eval", s.text}, command[2:]...))
	}
	return reply, err
}

func send(ctx context.Context, client redis.UniversalClient, once bool, command []any) (*redis.Cmd, error) {
	c := redis.NewCmd(ctx, command...)
	if once {
		return c, client.Process(ctx, sentOnce{c})
	}
	return c, client.Process(ctx, c)
}

// sentOnce is a command that go-redis doesn't send again after a lost reply.
type sentOnce struct{ *redis.Cmd }

func (sentOnce) NoRetry() bool { return true }
