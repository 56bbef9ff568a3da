package ratelimit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// ParsePolicies reads limits by name from JSON, for [NewSet] and [Set.Replace]:
//
//	{
//	  "DefaultRateLimitAuth": {"limit": 5, "per": "1m", "key": "remote-ip", "quiet": true},
//	  "Search": {"limit": 100, "per": "1s", "burst": 300, "key": "subject", "localShare": 0.25}
//	}
//
// The members of a policy are those of [Config]:
//
//   - limit and per make the Rate. Both are required; per is a duration such as
//     [time.ParseDuration] reads.
//   - burst is the same as limit, unless given.
//   - key names a function in keys. "remote-ip" is [RemoteIP], unless keys has another
//     of that name. key may be left out if base has a Key.
//   - quiet, legacy, localShare and failOpen are the fields of the same name.
//
// base gives whatever a policy doesn't say, and what JSON can't: Store, Cost, Deny,
// Logger.
//
// The error lists every mistake, with policy and member: what [New] would refuse, and
// members that are unknown, repeated, null or of the wrong type.
func ParsePolicies(text []byte, base Config, keys map[string]KeyFunc) ([]Config, error) {
	policies, err := readObject(text)
	if err != nil {
		return nil, fmt.Errorf("ratelimit: policies: %w", err)
	}
	var configs []Config
	var errs []error
	for i, p := range policies {
		mistake := func(err error) { errs = append(errs, fmt.Errorf("ratelimit: policy %q: %w", p.name, err)) }
		if slices.ContainsFunc(policies[:i], func(q member) bool { return q.name == p.name }) {
			mistake(errors.New("is given twice"))
		}
		c := base
		c.Name = p.name
		c.read(p.value, keys, mistake)
		configs = append(configs, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return configs, nil
}

// read sets what the object in text says, and reports every mistake.
func (c *Config) read(text []byte, keys map[string]KeyFunc, mistake func(error)) {
	members, err := readObject(text)
	if err != nil {
		mistake(err)
		return
	}
	var limit, burst int
	var per, key string
	fields := map[string]any{
		"limit": &limit, "per": &per, "burst": &burst, "key": &key, "quiet": &c.Quiet,
		"legacy": &c.Legacy, "localShare": &c.LocalShare, "failOpen": &c.FailOpen,
	}
	// A member that was there is in given: true if it could be read, false if it was
	// reported. So a bad member is not reported as missing too.
	given := make(map[string]bool)
	wrong := func(name, format string, a ...any) {
		given[name] = false
		mistake(fmt.Errorf("member %q %s", name, fmt.Sprintf(format, a...)))
	}
	for _, m := range members {
		field, known := fields[m.name]
		_, twice := given[m.name]
		given[m.name] = true
		switch {
		case !known:
			wrong(m.name, "is not known")
		case twice:
			wrong(m.name, "is given twice")
		// null would leave the field as it is in base, as if it hadn't been given.
		case string(m.value) == "null" || json.Unmarshal(m.value, field) != nil:
			wrong(m.name, "must be a %s", strings.TrimPrefix(fmt.Sprintf("%T", field), "*"))
		}
	}
	for _, name := range []string{"limit", "per"} {
		if _, ok := given[name]; !ok {
			wrong(name, "is missing")
		}
	}
	if given["key"] {
		if c.Key = keyNamed(key, keys); c.Key == nil {
			wrong("key", "names no key function: %q", key)
		}
	} else if _, ok := given["key"]; !ok && c.Key == nil {
		wrong("key", "is missing")
	}
	c.Limit = Per(1, time.Second) // in the place of a bad one, which was reported
	if given["limit"] && given["per"] {
		if d, err := time.ParseDuration(per); err != nil || d <= 0 {
			wrong("per", "is not a duration above 0: %q", per)
		} else {
			if _, ok := given["burst"]; !ok {
				burst = limit
			}
			c.Limit = Limit{Rate: rate.Limit(float64(limit) / d.Seconds()), Burst: burst}
		}
	}
	if _, ok := given["burst"]; ok && !given["burst"] {
		c.Limit.Burst = 1
	}
	if _, err := c.settled(); err != nil { // New settles it again: base may have no Store yet
		mistake(err)
	}
}

func keyNamed(name string, keys map[string]KeyFunc) KeyFunc {
	if f, ok := keys[name]; ok {
		return f
	}
	if name == "remote-ip" {
		return RemoteIP
	}
	return nil
}

type member struct {
	name  string
	value json.RawMessage
}

var errObject = errors.New("not one JSON object")

// readObject reads the members of one JSON object, in order, repeated ones too:
// decoding into a map or struct would let the last one win. It has twins in
// claims/internal/strict and issuer/internal/params, which this package can't import.
func readObject(text []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errObject
	}
	var members []member
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errObject, err)
		}
		m := member{name: name.(string)} // the decoder allows no other
		if err := d.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("%w: %w", errObject, err)
		}
		members = append(members, m)
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, fmt.Errorf("%w: %w", errObject, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows it", errObject)
	}
	return members, nil
}
