package issuersqltest

import (
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuerredis"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

// TestKillServer kills servers with SIGKILL in the middle of 200 refreshes per
// second, twice, and goes on.
func TestKillServer(t *testing.T) {
	t.Parallel()
	t.Run("XX-09 PostgreSQL", func(t *testing.T) {
		t.Parallel()
		p := newPostgres(t)
		s, _ := openPostgres(t, p.address(), issuersql.Config{})
		crash(t, s, func() {
			p.kill()
			time.Sleep(downtime)
			p.start(t, func() error { return pingPostgres(p) })
		})
	})
	t.Run("XX-09 Redis with appendfsync always", func(t *testing.T) {
		t.Parallel()
		p := newRedis(t, always...)
		crash(t, openRedis(t, p.address(), issuerredis.Config{}), func() {
			p.kill()
			time.Sleep(downtime)
			startRedis(t, p)
		})
	})
	t.Run("XX-09 Redis with appendfsync everysec", func(t *testing.T) {
		t.Parallel() // what was written is the system's, and survives the process
		p := newRedis(t, everysec...)
		crash(t, openRedis(t, p.address(), issuerredis.Config{}), func() {
			p.kill()
			time.Sleep(downtime)
			startRedis(t, p)
		})
	})
}

// downtime is how long a server that was killed stays away.
const downtime = 300 * time.Millisecond

// crash lets a fleet refresh through three machines while restart kills and
// restarts the store.
func crash(t *testing.T, s issuer.Store, restart func()) {
	var strict, graced []gate
	for range 3 {
		strict = append(strict, local{newNode(t, s, 0, secret)})
		graced = append(graced, local{newNode(t, s, time.Minute, secret)})
	}
	f := launch(t, strict, graced)
	for range 2 {
		time.Sleep(1200 * time.Millisecond)
		restart()
	}
	time.Sleep(800 * time.Millisecond)
	f.land()
}
