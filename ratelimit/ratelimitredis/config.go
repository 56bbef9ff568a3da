package ratelimitredis

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"
)

// Config says how state is kept. Its zero value is complete.
type Config struct {
	// Prefix begins the name of every key, "gatehouse:" if it is empty: letters,
	// digits and -_.:/, at most 64. Deployments that share a server and should
	// not share limits need different ones.
	Prefix string

	// Timeout bounds each call, also when its context has no deadline: 0 means 1 s, at
	// least 1 ms. A [ratelimit.Breaker] and a lockout's Timeout bound it further.
	Timeout time.Duration

	// OneSlot puts everything into one slot of a Cluster, so that [ratelimit.All] can
	// join limits of different keys. Then one of its machines carries all. Elsewhere
	// it does nothing. Changing it forgets all state.
	OneSlot bool
}

const (
	defaultPrefix  = "gatehouse:"
	defaultTimeout = time.Second
	minTimeout     = time.Millisecond
)

// Braces would name a slot of a Cluster.
var prefix = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// settled returns c with its defaults filled in, or every mistake in it.
func (c Config) settled() (Config, error) {
	var mistakes []error
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if !prefix.MatchString(c.Prefix) {
		mistakes = append(mistakes, fmt.Errorf("ratelimitredis: Config.Prefix %q is not of letters, digits and -_.:/, at most 64", c.Prefix))
	}
	if c.Timeout < minTimeout {
		mistakes = append(mistakes, fmt.Errorf("ratelimitredis: Config.Timeout is %v, less than %v", c.Timeout, minTimeout))
	}
	return c, errors.Join(mistakes...)
}

var errNoClient = errors.New("ratelimitredis: client is nil")

// fit reports why client can't be used. A type that is not known here is believed.
func fit(client redis.UniversalClient) error {
	heeds := true
	switch c := client.(type) {
	case nil:
		return errNoClient
	case *redis.Client:
		if c == nil {
			return errNoClient
		}
		heeds = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		if c == nil {
			return errNoClient
		}
		heeds = c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		return errors.New("ratelimitredis: client is a Ring, which counts anew on another server when one is away: use Cluster")
	}
	if !heeds {
		return errors.New("ratelimitredis: client's ContextTimeoutEnabled is false: calls would outlast their deadlines")
	}
	return nil
}
