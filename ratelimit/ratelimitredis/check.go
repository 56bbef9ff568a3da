package ratelimitredis

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrEvicts says that the server removes keys when it is full: a lockout
	// that blocks may be among them.
	ErrEvicts = errors.New("ratelimitredis: maxmemory-policy is not noeviction: lockouts and limits may be removed at any time")

	// ErrForgets says that the server doesn't write what it is told to disk: with
	// it, lockouts end at a restart.
	ErrForgets = errors.New("ratelimitredis: appendonly is not yes: a restart forgets lockouts and limits")
)

// Check reports settings of the server, or of each primary of a Cluster, that lose
// state. Call it once at the start.
//
// Its error is [ErrEvicts], which nobody should accept, or [ErrForgets], which is
// harmless where there are only limits, or both. Any other error says that the settings
// could not be read: some hosts disallow CONFIG.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return check(ctx, s.client)
	}
	var mu sync.Mutex
	var errs []error
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		err := check(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
		return nil
	})
	return errors.Join(append(errs, err)...)
}

func check(ctx context.Context, c redis.Cmdable) error {
	var errs []error
	for _, want := range []struct {
		name, value string
		err         error
	}{{"maxmemory-policy", "noeviction", ErrEvicts}, {"appendonly", "yes", ErrForgets}} {
		set, err := c.ConfigGet(ctx, want.name).Result()
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("ratelimitredis: check of %s: %w", want.name, err))
		case set[want.name] != want.value:
			errs = append(errs, want.err)
		}
	}
	return errors.Join(errs...)
}
