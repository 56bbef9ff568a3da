package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

const users = 10

// travel lets users work, kills a replica under them, starts another, and counts
// who noticed.
func travel(ctx context.Context, c *cluster) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	t := &traveller{base: c.base, seen: map[string]int{}}
	working, goHome := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range users {
		all.Go(func() { t.work(ctx, working, fmt.Sprintf("user%d", i)) })
	}
	time.Sleep(2 * time.Second)
	t.report(fmt.Sprintf("%d users work through two replicas", users))
	c.replicas[0].signal(syscall.SIGKILL)
	time.Sleep(2 * time.Second)
	t.report("one replica was killed with SIGKILL")
	err := c.startReplica(ctx, "three")
	goHome()
	all.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("in all: %d requests, %d sent again by the client, %d users noticed\n", t.requests, t.again, t.noticed)
	if t.noticed > 0 || t.requests == 0 {
		return fmt.Errorf("users noticed: %s", strings.Join(t.errors, "; "))
	}
	return nil
}

// traveller is all users together.
type traveller struct {
	base string

	mu                       sync.Mutex
	requests, again, noticed int
	seen                     map[string]int // answers, by replica
	errors                   []string
}

func (t *traveller) report(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Printf("%s: answers by replica %v\n", what, t.seen)
	clear(t.seen)
}

// work logs in once, and then looks and refreshes until working ends. A user
// notices what his client can't settle by asking once more.
func (t *traveller) work(ctx, working context.Context, user string) {
	pair, err := t.tokens(ctx, "/login", url.Values{"user": {user}})
	for err == nil && working.Err() == nil {
		if err = t.look(ctx, pair.Access, user); err != nil {
			break
		}
		pair, err = t.tokens(ctx, "/refresh", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {pair.Refresh}})
		time.Sleep(200 * time.Millisecond)
	}
	if err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.noticed++
		t.errors = append(t.errors, user+": "+err.Error())
	}
}

type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (t *traveller) tokens(ctx context.Context, path string, form url.Values) (p pair, err error) {
	body, err := t.do(ctx, http.MethodPost, path, "", form)
	if err != nil {
		return pair{}, err
	}
	return p, json.Unmarshal(body, &p)
}

func (t *traveller) look(ctx context.Context, access, user string) error {
	body, err := t.do(ctx, http.MethodGet, "/me", access, nil)
	if err == nil && !strings.Contains(string(body), user) {
		err = fmt.Errorf("/me says %s", body)
	}
	return err
}

// do sends a request, and again if the answer is 503: that says that asking again
// is right. A balancer may have more than one connection to a replica that died.
func (t *traveller) do(ctx context.Context, method, path, access string, form url.Values) ([]byte, error) {
	for tries := 1; ; tries++ {
		status, body, err := t.send(ctx, method, path, access, form)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusOK:
			return body, nil
		case status != http.StatusServiceUnavailable || tries == 5:
			return nil, fmt.Errorf("%s: status %d, %s", path, status, body)
		}
		t.mu.Lock()
		t.again++
		t.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond): // Retry-After says 1 s
		}
	}
}

func (t *traveller) send(ctx context.Context, method, path, access string, form url.Values) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, t.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.seen[resp.Header.Get("X-Replica")]++
	return resp.StatusCode, body, err
}
