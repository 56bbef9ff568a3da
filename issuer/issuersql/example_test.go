package issuersql_test

import (
	"context"
	"database/sql"
	"log"
	"log/slog"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

// Many machines, one database. The program imports a driver:
// _ "github.com/jackc/pgx/v5/stdlib".
func Example_postgreSQL() {
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://app@db.internal/app")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(20)
	store, err := issuersql.New(db, issuersql.Config{Dialect: issuersql.PostgreSQL})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.CreateSchema(ctx); err != nil {
		log.Fatal(err)
	}
	if err := store.Check(ctx); err != nil {
		log.Fatal(err)
	}
	_ = issuer.Config[struct{}]{Store: store}
}

// One machine, one file. The program imports a driver: _ "modernc.org/sqlite".
func Example_sqlite() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:sessions.db?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(8)
	store, err := issuersql.New(db, issuersql.Config{Dialect: issuersql.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.CreateSchema(ctx); err != nil {
		log.Fatal(err)
	}
	_ = issuer.Config[struct{}]{Store: store}
}

// What has expired is removed now and then, by any of the machines.
func ExampleStore_RemoveExpired() {
	var store *issuersql.Store // as New returned it
	for range time.Tick(time.Minute) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		removed, err := store.RemoveExpired(ctx, 500)
		cancel()
		slog.Info("sessions that had expired", "removed", removed, "err", err)
	}
}
