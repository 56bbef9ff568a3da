package issuersqltest

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
	"github.com/gatehouse-go/gatehouse/issuer/issuertest"
)

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	server := postgres(t)
	issuertest.Run(t, func(t testing.TB) issuer.Store {
		s, _ := openPostgres(t, server.address(), issuersql.Config{})
		return s
	})
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	issuertest.Run(t, func(t testing.TB) issuer.Store {
		s, _ := openSQLite(t, file, issuersql.Config{})
		return s
	})
}
