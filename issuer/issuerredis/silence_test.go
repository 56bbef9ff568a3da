package issuerredis_test

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// The tests provoke what go-redis logs.
func init() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
