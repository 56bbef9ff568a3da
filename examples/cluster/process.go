package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a server that we started.
type process struct {
	name    string
	port    int
	command *exec.Cmd
	ended   chan struct{}
}

func (p *process) address() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// launch starts command, which is to serve on port, and waits until it answers.
// What it prints is kept in a file in dir.
func launch(ctx context.Context, dir, name string, port int, command *exec.Cmd) (*process, error) {
	path := filepath.Join(dir, name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command.Dir, command.Stdout, command.Stderr = dir, log, log
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{name, port, command, make(chan struct{})}
	go func() { command.Wait(); close(p.ended) }()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if c, err := net.DialTimeout("tcp", p.address(), time.Second); err == nil {
			c.Close()
			return p, nil
		}
		select {
		case <-p.ended:
			deadline = time.Now()
		case <-time.After(50 * time.Millisecond):
		}
	}
	p.signal(syscall.SIGKILL)
	said, _ := os.ReadFile(path)
	return nil, fmt.Errorf("%s doesn't answer; it said:\n%s", name, said)
}

// signal ends the process, and waits until it has.
func (p *process) signal(s syscall.Signal) {
	p.command.Process.Signal(s)
	<-p.ended
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
