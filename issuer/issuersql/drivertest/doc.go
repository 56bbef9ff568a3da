// Package drivertest tests the stores of sessions against real servers, which
// it starts by itself, and through crashes and bad networks: PostgreSQL and SQLite
// of package issuersql, and beside them Redis of package issuerredis. It is a
// module of its own so that the drivers are nobody else's dependencies.
//
// Tests whose server isn't installed are skipped, or fail if
// GATEHOUSE_REQUIRE_SERVERS is set.
package drivertest
