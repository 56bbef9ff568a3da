package drivertest

import (
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

// patience is a timeout for a thousand callers at once on a busy machine.
const patience = time.Minute

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	server := postgres(t)
	issuertest.Run(t, func(t testing.TB) issuer.Store {
		s, _ := openPostgres(t, server.address(), issuersql.Config{Timeout: patience})
		return s
	})
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	issuertest.Run(t, func(t testing.TB) issuer.Store {
		s, _ := openSQLite(t, file, issuersql.Config{Timeout: patience})
		return s
	})
}
