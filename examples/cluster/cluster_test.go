package main

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if _, isReplica := placeFromEnvironment(); isReplica {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestTour(t *testing.T) {
	if _, err := find(); err != nil {
		if os.Getenv("GATEHOUSE_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Skip("install what is missing (Debian: apt-get install redis-server postgresql): ", err)
	}
	if err := runCluster(t.Context(), "127.0.0.1:0", travel); err != nil {
		t.Fatal(err)
	}
}
