package issuersql

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Dialect is which SQL a database speaks.
type Dialect int

const (
	PostgreSQL Dialect = iota + 1 // 12 and later; parameters as $1
	SQLite                        // 3.37 and later; parameters as ?
)

// Config says where sessions are kept. Dialect is required.
type Config struct {
	Dialect Dialect

	// Table is the table's name, "gatehouse_sessions" if it is empty: a to z, 0
	// to 9 and _, at most 40, not beginning with a digit or sqlite_. It is found
	// as the connection's search_path says. Next to it is a table with _schema
	// added to the name.
	Table string

	// Timeout bounds each call, also when its context has no deadline; 5 s if
	// 0, at least 10 ms. A refresh makes up to four calls.
	Timeout time.Duration
}

const (
	defaultTable   = "gatehouse_sessions"
	defaultTimeout = 5 * time.Second
	minTimeout     = 10 * time.Millisecond
)

// A longer name would not leave room for the suffixes in PostgreSQL's 63 bytes.
var tableName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// settled returns c with its defaults filled in, or every mistake in it.
func (c Config) settled() (Config, error) {
	var mistakes []error
	if c.Dialect != PostgreSQL && c.Dialect != SQLite {
		mistakes = append(mistakes, errors.New("issuersql: Config.Dialect is neither PostgreSQL nor SQLite"))
	}
	if c.Table == "" {
		c.Table = defaultTable
	}
	if !tableName.MatchString(c.Table) || strings.HasPrefix(c.Table, "sqlite_") {
		mistakes = append(mistakes, fmt.Errorf("issuersql: Config.Table %q is not a name of a to z, 0 to 9 and _, at most 40", c.Table))
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Timeout < minTimeout {
		mistakes = append(mistakes, fmt.Errorf("issuersql: Config.Timeout is %v, less than %v", c.Timeout, minTimeout))
	}
	return c, errors.Join(mistakes...)
}
