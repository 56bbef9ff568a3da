package drivertest

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
	"github.com/gatehouse-go/gatehouse/issuer/issuersql"
)

// childEnv makes the test binary an application, the child, that is killed.
const childEnv = "GATEHOUSE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		fmt.Fprintln(os.Stderr, child())
		os.Exit(1)
	}
	flag.Parse()
	flag.Set("test.parallel", "6") // most tests wait most of the time
	code := m.Run()
	stopAll()
	os.Exit(code)
}

// child serves logins and refreshes, at /strict without and at /graced with grace,
// from the database and at the address that its environment names.
func child() error {
	var dialect issuersql.Dialect
	driver, source, _ := strings.Cut(os.Getenv(childEnv), " ")
	if dialect = issuersql.PostgreSQL; driver == "sqlite" {
		dialect = issuersql.SQLite
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(8)
	store, err := issuersql.New(db, issuersql.Config{Dialect: dialect})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for name, grace := range map[string]time.Duration{"strict": 0, "graced": time.Minute} {
		node := newNode(panics{}, store, grace, secret)
		mux.Handle("/"+name+"/login", node.LoginHandler(func(*http.Request) (claims.Claims[struct{}], error) {
			return claims.Claims[struct{}]{Subject: "alice"}, nil
		}))
		mux.Handle("/"+name+"/refresh", node.RefreshHandler())
	}
	mux.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if err := store.Check(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return http.ListenAndServe(os.Getenv("GATEHOUSE_TEST_LISTEN"), mux)
}

// panics is a testing.TB for what can't fail in the child.
type panics struct{ testing.TB }

func (panics) Helper()        {}
func (panics) Fatal(a ...any) { panic(fmt.Sprint(a...)) }

// newChild starts an application over a database.
func newChild(t *testing.T, database string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := newProcess(t, self)
	p.environment = []string{childEnv + "=" + database, "GATEHOUSE_TEST_LISTEN=" + p.address()}
	p.arguments = []string{"-test.run=^$"}
	startChild(t, p)
	return p
}

func startChild(t *testing.T, p *process) {
	t.Helper()
	p.start(t, func() error {
		resp, err := http.Get("http://" + p.address() + "/ready")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
}

// remote is a machine over HTTP.
type remote struct{ base string }

func (r remote) issue(ctx context.Context) (string, error) {
	return r.post(ctx, "/login", url.Values{})
}

func (r remote) refresh(ctx context.Context, token string) (string, error) {
	return r.post(ctx, "/refresh", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

func (r remote) post(ctx context.Context, path string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"refresh_token"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	switch {
	case resp.StatusCode == http.StatusOK && answer.Token != "":
		return answer.Token, nil
	case resp.StatusCode == http.StatusBadRequest && answer.Error == "invalid_grant":
		return "", fmt.Errorf("%w: status 400", issuer.ErrGrant)
	}
	return "", fmt.Errorf("status %d, %s", resp.StatusCode, answer.Error)
}

// TestKillApplication kills one of two applications that share a database with
// SIGKILL, in the middle of 200 refreshes per second, three times each.
func TestKillApplication(t *testing.T) {
	t.Parallel()
	t.Run("XX-09 PostgreSQL", func(t *testing.T) {
		t.Parallel()
		p := newPostgres(t)
		openPostgres(t, p.address(), issuersql.Config{})
		crashApplications(t, "pgx "+dsn(p.address()))
	})
	t.Run("XX-09 SQLite", func(t *testing.T) {
		t.Parallel()
		file := newFile(t)
		openSQLite(t, file, issuersql.Config{})
		crashApplications(t, "sqlite file:"+file+durable)
	})
}

func crashApplications(t *testing.T, database string) {
	var applications []*process
	var strict, graced []gate
	for range 2 {
		p := newChild(t, database)
		applications = append(applications, p)
		strict = append(strict, remote{"http://" + p.address() + "/strict"})
		graced = append(graced, remote{"http://" + p.address() + "/graced"})
	}
	f := launch(t, strict, graced, false)
	for i := range 6 {
		time.Sleep(400 * time.Millisecond)
		applications[i%2].kill()
		time.Sleep(downtime)
		startChild(t, applications[i%2])
	}
	f.land()
	if f.unavailable.Load() == 0 {
		t.Error("nobody noticed that an application was killed")
	}
}

// TestLastStand: what was confirmed is in the file, also when no process closed it.
func TestLastStand(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	openSQLite(t, file, issuersql.Config{})
	p := newChild(t, "sqlite file:"+file+durable)
	g := remote{"http://" + p.address() + "/strict"}
	token, err := g.issue(t.Context())
	for i := 0; err == nil && i < 20; i++ {
		token, err = g.refresh(t.Context(), token)
	}
	p.kill()
	if err != nil {
		t.Fatal(err)
	}
	s, _ := openSQLite(t, file, issuersql.Config{})
	if _, err := (local{newNode(t, s, 0, secret)}).refresh(t.Context(), token); err != nil {
		t.Error(err)
	}
}
