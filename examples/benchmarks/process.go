package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// A process is a contender in a process of its own, so that nobody pays for
// another's garbage. It is told on standard input how often to do it, and
// answers on standard output what that used.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	kept float64
	load *load // if it is a server
}

// answer is a line that a process writes.
type answer struct {
	Usage usage
	Kept  float64 `json:",omitempty"`
	Addr  string  `json:",omitempty"`
	Error string  `json:",omitempty"`
}

// launch starts this program again, as one contender.
func launch(w *world, id string, who contender) (runner, error) {
	cmd := exec.Command(os.Args[0], "-contender", id+"\n"+who.name, "-dir", w.dir, fmt.Sprintf("-short=%t", w.short))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	a, err := p.answer()
	if err == nil && a.Addr != "" {
		p.load, err = newLoad(w, who, a.Addr)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	p.kept = a.Kept
	return p, nil
}

func (p *process) answer() (answer, error) {
	line, err := p.out.ReadString('\n')
	if err != nil {
		return answer{}, fmt.Errorf("contender ended: %w", err)
	}
	var a answer
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		return answer{}, err
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func (p *process) ask(n int) (usage, error) {
	if _, err := fmt.Fprintln(p.in, n); err != nil {
		return usage{}, err
	}
	a, err := p.answer()
	return a.Usage, err
}

func (p *process) run(n int) (usage, error) {
	if p.load == nil {
		return p.ask(n)
	}
	before, err := p.ask(0)
	if err != nil {
		return usage{}, err
	}
	if err := p.load.send(n); err != nil {
		return usage{}, err
	}
	after, err := p.ask(0)
	return after.minus(before), err
}

func (p *process) size() float64 { return p.kept }

func (p *process) stop() {
	if p.load != nil {
		p.load.close()
	}
	p.in.Close()
	p.cmd.Wait()
}

// contend is what such a process does: it gets ready, and then does it as often
// as it is told. 0 asks for all that was used so far.
func contend(w *world, who contender) error {
	out := json.NewEncoder(os.Stdout)
	ready, do, err := prepare(w, who)
	if err != nil {
		return out.Encode(answer{Error: err.Error()})
	}
	out.Encode(ready)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		n, err := strconv.Atoi(strings.TrimSpace(in.Text()))
		if err != nil {
			return err
		}
		if n == 0 {
			out.Encode(answer{Usage: used()})
			continue
		}
		u, err := w.measure(do, n)
		if err != nil {
			out.Encode(answer{Error: err.Error()})
			continue
		}
		out.Encode(answer{Usage: u})
	}
	return nil
}

func prepare(w *world, who contender) (answer, op, error) {
	if who.serve != nil {
		addr, err := listen(w, who)
		return answer{Addr: addr}, nil, err
	}
	do, err := who.setup(w)
	if err != nil {
		return answer{}, nil, err
	}
	kept := w.kept()
	runtime.KeepAlive(do)
	return answer{Kept: kept}, do, nil
}

// inProcess runs a contender here: good enough for orders of magnitude.
type inProcess struct {
	w  *world
	do op
}

func (p inProcess) run(n int) (usage, error) { return p.w.measure(p.do, n) }

func (inProcess) size() float64 { return 0 }
func (inProcess) stop()         {}
