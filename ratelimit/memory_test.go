package ratelimit_test

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimittest"
)

func TestMemoryStore(t *testing.T) {
	ratelimittest.Run(t, func(testing.TB) ratelimit.Store { return ratelimit.NewMemoryStore(0) }, nil)
}
