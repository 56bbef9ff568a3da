package drivertest

import (
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
	"github.com/gatehouse-go/gatehouse/issuer/recovery"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
	"github.com/gatehouse-go/gatehouse/ratelimit/lockout/lockouttest"
)

// TestLockouts keeps lockouts where the sessions are: what recovery does where
// there is no Redis.
func TestLockouts(t *testing.T) {
	t.Parallel()
	server := postgres(t)
	for name, open := range map[string]func(testing.TB) issuer.Store{
		"PostgreSQL": func(t testing.TB) issuer.Store {
			s, _ := openPostgres(t, server.address(), issuersql.Config{Timeout: patience, Table: newTable()})
			return s
		},
		"SQLite": func(t testing.TB) issuer.Store {
			s, _ := openSQLite(t, newFile(t), issuersql.Config{Timeout: patience})
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			lockouttest.Run(t, func(t testing.TB) lockout.Store {
				log, err := recovery.NewLog(open(t))
				if err != nil {
					t.Fatal(err)
				}
				return log
			}, time.Sleep)
		})
	}
}
