package issuerredis

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"
)

// Config says how sessions are kept. Its zero value is complete.
type Config struct {
	// Prefix begins the name of every key, "gatehouse:" if it is empty: letters,
	// digits and -_.:/, at most 64. Deployments that share a server need
	// different ones.
	Prefix string

	// Timeout bounds each call, also when its context has no deadline; 5 s if
	// 0, at least 10 ms. A refresh makes up to four calls.
	Timeout time.Duration
}

const (
	defaultPrefix  = "gatehouse:"
	defaultTimeout = 5 * time.Second
	minTimeout     = 10 * time.Millisecond
)

// No braces: they would put all keys of a Cluster into one slot.
var prefix = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// settled returns c with its defaults filled in, or every mistake in it.
func (c Config) settled() (Config, error) {
	var mistakes []error
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if !prefix.MatchString(c.Prefix) {
		mistakes = append(mistakes, fmt.Errorf("issuerredis: Config.Prefix %q is not of letters, digits and -_.:/, at most 64", c.Prefix))
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Timeout < minTimeout {
		mistakes = append(mistakes, fmt.Errorf("issuerredis: Config.Timeout is %v, less than %v", c.Timeout, minTimeout))
	}
	return c, errors.Join(mistakes...)
}

var (
	errNoClient  = errors.New("issuerredis: client is nil")
	errNoTimeout = errors.New("issuerredis: client's ContextTimeoutEnabled is false: calls would outlast their deadlines")
)

// fit reports why client can't be used. Of a type that go-redis doesn't have
// today nothing is known, and it is believed.
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
		return errors.New("issuerredis: client is a Ring, which moves sessions to other servers when one is away: use Cluster")
	}
	if !heeds {
		return errNoTimeout
	}
	return nil
}
