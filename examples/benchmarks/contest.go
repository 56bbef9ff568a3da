package main

import (
	"cmp"
	"net/http"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// A contest has several do the same thing, so that they can be compared. The
// first contender is what the others are compared with: the floor.
type contest struct {
	id, title  string
	note       string // what a reader must know
	per        string // what one operation is; "request" if empty
	remote     bool   // asks a server: longer rounds, and the time that passes counts too
	contenders []contender
}

// A contender does it its own way.
type contender struct {
	name string
	kind kind
	// setup makes ready, and returns what is measured.
	setup func(*world) (op, error)
	// serve makes ready a handler that is measured as a whole server instead.
	serve func(*world) (http.Handler, error)
	long  bool // takes too long for -short
}

// An op does it n times.
type op func(n int) error

// kind is who a contender is.
type kind string

const (
	floor kind = "floor" // what nobody can do without
	ours  kind = "gatehouse"
	peer  kind = "peer"
)

// usage is what a process has used up.
type usage struct {
	CPU, Wall      time.Duration
	Mallocs, Bytes uint64
}

func (u usage) minus(v usage) usage {
	return usage{u.CPU - v.CPU, u.Wall - v.Wall, u.Mallocs - v.Mallocs, u.Bytes - v.Bytes}
}

// used reads what this process has used up. CPU time, not wall time: others may
// share the machine.
func used() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{CPU: cpu(), Mallocs: m.Mallocs, Bytes: m.TotalAlloc}
}

func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// A runner executes a contender's operation: in a process of its own, or, for
// tests, in this one.
type runner interface {
	run(n int) (usage, error)
	size() float64 // bytes per item that is kept, 0 if that was not measured
	stop()
}

// pace is how much is measured.
type pace struct {
	rounds int
	round  time.Duration // CPU time of one round of one contender
}

// A result is what was measured of one contender.
type result struct {
	contender
	CPU, Wall, Ratio      spread // nanoseconds an operation; ratio to the floor, round by round
	Allocs, Bytes, Retain float64
	Err                   error
}

// spread is where many measurements of one thing lie.
type spread struct{ Min, Q1, Median, Q3 float64 }

func spreadOf(x []float64) spread {
	if len(x) == 0 {
		return spread{}
	}
	x = slices.Clone(x)
	slices.Sort(x)
	at := func(q float64) float64 { return x[int(q*float64(len(x)-1)+0.5)] }
	return spread{x[0], at(0.25), at(0.5), at(0.75)}
}

// hold has the contenders run in turn, many short rounds, each round beginning
// with another one, so that whatever disturbs the machine disturbs all alike.
func hold(c contest, p pace, start func(contender) (runner, error)) []result {
	if c.remote {
		p.round *= 10
	}
	results := make([]result, len(c.contenders))
	runners := make([]runner, len(c.contenders))
	times := make([]int, len(c.contenders))
	for i, who := range c.contenders {
		results[i].contender = who
		r, err := start(who)
		if err == nil {
			runners[i] = r
			results[i].Retain = r.size()
			times[i], err = calibrate(r, p.round)
		}
		results[i].Err = err
	}
	type samples struct{ cpu, wall, allocs, bytes, ratio []float64 }
	all := make([]samples, len(runners))
	for round := range p.rounds {
		this := make([]float64, len(runners))
		for j := range runners {
			i := (j + round) % len(runners)
			if results[i].Err != nil {
				continue
			}
			u, err := runners[i].run(times[i])
			if err != nil {
				results[i].Err = err
				continue
			}
			n := float64(times[i])
			s := &all[i]
			this[i] = float64(u.CPU) / n
			s.cpu = append(s.cpu, this[i])
			s.wall = append(s.wall, float64(u.Wall)/n)
			s.allocs = append(s.allocs, float64(u.Mallocs)/n)
			s.bytes = append(s.bytes, float64(u.Bytes)/n)
		}
		for i := range runners {
			if this[i] > 0 && this[0] > 0 {
				all[i].ratio = append(all[i].ratio, this[i]/this[0])
			}
		}
	}
	for i, r := range runners {
		if r != nil {
			r.stop()
		}
		s := all[i]
		results[i].CPU, results[i].Wall, results[i].Ratio = spreadOf(s.cpu), spreadOf(s.wall), spreadOf(s.ratio)
		results[i].Allocs, results[i].Bytes = spreadOf(s.allocs).Median, spreadOf(s.bytes).Median
	}
	return results
}

// calibrate finds how many operations take about d.
func calibrate(r runner, d time.Duration) (int, error) {
	for n := 1; ; {
		u, err := r.run(n)
		if err != nil {
			return 0, err
		}
		if u.CPU >= d/2 || n >= 1<<24 {
			return max(1, int(float64(n)*float64(d)/float64(max(u.CPU, 1)))), nil
		}
		n = max(n+1, min(n*8, int(float64(n)*0.7*float64(d)/float64(max(u.CPU, 10*time.Microsecond)))))
	}
}

// fastest is the least CPU time of those of one kind, 0 if there is none.
func fastest(results []result, k kind) float64 {
	r := slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.kind != k || r.Err != nil })
	if len(r) == 0 {
		return 0
	}
	return slices.MinFunc(r, func(a, b result) int { return cmp.Compare(a.CPU.Median, b.CPU.Median) }).CPU.Median
}
