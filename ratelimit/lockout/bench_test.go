package lockout_test

import (
	"context"
	"testing"

	"github.com/gatehouse-go/gatehouse/ratelimit/lockout"
)

func BenchmarkLockout(b *testing.B) {
	for name, right := range map[string]bool{"right": true, "undecided": false} {
		b.Run(name, func(b *testing.B) {
			l, err := lockout.New(lockout.Config{Name: "test"})
			if err != nil {
				b.Fatal(err)
			}
			check := func(context.Context) (bool, error) {
				if right {
					return true, nil
				}
				return false, lockout.ErrUndecided
			}
			b.ReportAllocs()
			for b.Loop() {
				l.Attempt(context.Background(), "victim@example.com", check)
			}
		})
	}
	b.Run("blocked", func(b *testing.B) {
		l, err := lockout.New(lockout.Config{Name: "test"})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			l.Attempt(context.Background(), "victim@example.com", func(context.Context) (bool, error) { return false, nil })
		}
	})
}
