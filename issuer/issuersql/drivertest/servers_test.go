package drivertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a server in a directory and on a port of its own.
type process struct {
	name, dir   string
	port        int
	arguments   []string
	environment []string // besides ours
	user        *syscall.Credential
	running     *exec.Cmd
}

// started are the servers to stop when all tests are done.
var started struct {
	sync.Mutex
	all []*process
}

func stopAll() {
	started.Lock()
	defer started.Unlock()
	for _, p := range started.all {
		p.stop()
		os.RemoveAll(p.dir)
	}
}

// missing skips a test whose server isn't installed, or fails it.
func missing(t testing.TB, program, advice string) {
	t.Helper()
	if os.Getenv("GATEHOUSE_REQUIRE_SERVERS") != "" {
		t.Fatalf("%s is missing: %s", program, advice)
	}
	t.Skipf("%s is missing: %s", program, advice)
}

func newProcess(t testing.TB, name string) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatehouse-"+filepath.Base(name)+"-")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{name: name, dir: dir, port: freePort(t)}
	started.Lock()
	started.all = append(started.all, p)
	started.Unlock()
	return p
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (p *process) address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// start starts the server, again if it was stopped, and waits until ready says
// that it answers. A server that was killed may need some tries.
func (p *process) start(t testing.TB, ready func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	var err error
	for time.Now().Before(deadline) {
		if err = p.launch(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func(c *exec.Cmd) { c.Wait(); close(ended) }(p.running)
		for alive := true; alive && time.Now().Before(deadline); {
			if err = ready(); err == nil {
				return
			}
			select {
			case <-ended:
				alive = false
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	t.Fatalf("%s doesn't start: %v\n%s", p.name, err, log)
}

func (p *process) launch() error {
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(p.name, p.arguments...)
	c.Dir, c.Stdout, c.Stderr = p.dir, log, log
	c.Env = append(os.Environ(), p.environment...)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: p.user, Pdeathsig: syscall.SIGKILL}
	p.running = c
	return c.Start()
}

// kill is kill -9.
func (p *process) kill() { p.signal(syscall.SIGKILL) }

// stop ends the server, quickly but in order.
func (p *process) stop() { p.signal(syscall.SIGINT) }

// signal signals the server and waits until it has ended.
func (p *process) signal(s syscall.Signal) {
	if p.running == nil {
		return
	}
	p.running.Process.Signal(s)
	for range 1000 {
		if syscall.Kill(p.running.Process.Pid, 0) != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.running = nil
}
