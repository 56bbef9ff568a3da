package issuerredis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Check reports, for a start-up check, whether every server can be reached, runs
// our scripts, and keeps what it is given: everything that is wrong together. A
// warning is what an application may accept knowingly: that a crash may take
// back the last second or two of refreshes (appendfsync everysec).
//
// It needs the commands CONFIG GET and INFO; where they are forbidden, err says
// that nothing could be checked. With settings that Check refuses the Store
// works, and forgets.
func (s *Store) Check(ctx context.Context) (warnings []error, err error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex // ForEachMaster is concurrent
	var mistakes []error
	check := func(ctx context.Context, server *redis.Client) error {
		w, m := checkServer(ctx, server)
		mu.Lock()
		defer mu.Unlock()
		warnings, mistakes = append(warnings, w...), append(mistakes, m...)
		return nil
	}
	switch c := s.client.(type) {
	case *redis.Client:
		err = check(ctx, c)
	case *redis.ClusterClient:
		err = c.ForEachMaster(ctx, check)
	default:
		err = fmt.Errorf("servers behind a %T can't be found", c)
	}
	if err != nil {
		mistakes = append(mistakes, fmt.Errorf("issuerredis: check: %w", err))
	}
	return warnings, errors.Join(mistakes...)
}

func checkServer(ctx context.Context, c *redis.Client) (warnings, mistakes []error) {
	at := c.Options().Addr
	mistake := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("issuerredis: "+at+": "+format, a...))
	}
	info, err := c.Info(ctx, "server", "replication").Result()
	if err != nil {
		mistake("%w", err)
		return nil, mistakes
	}
	if v := field(info, "redis_version"); !atLeast(v, 6, 2) {
		mistake("version %s is older than 6.2", v)
	}
	if role := field(info, "role"); role != "master" {
		mistake("the server is a %s: it can't be written, and knows old sessions", role)
	}
	for _, name := range []string{"maxmemory-policy", "appendonly", "appendfsync"} {
		all, err := c.ConfigGet(ctx, name).Result()
		switch value := all[name]; {
		case err != nil:
			mistake("%s: %w", name, err)
		case name == "maxmemory-policy" && value != "noeviction":
			mistake("maxmemory-policy is %s, not noeviction: live sessions are removed when memory is short", value)
		case name == "appendonly" && value != "yes":
			mistake("appendonly is %s: a crash takes all refreshes since the last snapshot", value)
		case name == "appendfsync" && value == "no":
			mistake("appendfsync is no: a power failure takes half a minute of refreshes")
		case name == "appendfsync" && value != "always":
			warnings = append(warnings, fmt.Errorf("issuerredis: %s: appendfsync is %s, not always: a crash may take the last second or two of refreshes", at, value))
		}
	}
	return warnings, mistakes
}

// field returns the value of a line of INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), name+":"); ok {
			return value
		}
	}
	return ""
}

func atLeast(version string, major, minor int) bool {
	a, rest, _ := strings.Cut(version, ".")
	b, _, _ := strings.Cut(rest, ".")
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	return errX == nil && errY == nil && (x > major || x == major && y >= minor)
}
