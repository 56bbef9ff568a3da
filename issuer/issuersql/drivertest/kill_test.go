package drivertest

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
		crash(t, s, false, func() {
			p.kill()
			time.Sleep(downtime)
			p.start(t, func() error { return pingPostgres(p) })
		})
	})
	t.Run("XX-09 Redis with appendfsync always", func(t *testing.T) {
		t.Parallel()
		p := newRedis(t, always...)
		crash(t, openRedis(t, p.address(), issuerredis.Config{}), false, func() {
			p.kill()
			time.Sleep(downtime)
			startRedis(t, p)
		})
	})
	t.Run("XX-09 Redis with appendfsync everysec", func(t *testing.T) {
		// Redis answers before it writes while the disk is still busy with the last
		// fsync, for up to two seconds. So what it loses depends on the disk;
		// mostly it is nothing.
		t.Parallel()
		p := newRedis(t, everysec...)
		crash(t, openRedis(t, p.address(), issuerredis.Config{}), true, func() {
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
func crash(t *testing.T, s issuer.Store, forgetful bool, restart func()) {
	var strict, graced []gate
	for range 3 {
		strict = append(strict, local{newNode(t, s, 0, secret)})
		graced = append(graced, local{newNode(t, s, time.Minute, secret)})
	}
	f := launch(t, strict, graced, forgetful)
	for range 2 {
		time.Sleep(1200 * time.Millisecond)
		restart()
	}
	time.Sleep(800 * time.Millisecond)
	f.land()
}
