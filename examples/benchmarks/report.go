package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// held is a contest with what came out.
type held struct {
	contest
	results []result
}

type report struct {
	held  []held
	pace  pace
	short bool
	took  time.Duration
}

// of returns the result of one contender, nil if it was not measured.
func (r *report) of(id, name string) *result {
	for _, h := range r.held {
		for i := range h.results {
			if h.id == id && h.results[i].name == name && h.results[i].Err == nil {
				return &h.results[i]
			}
		}
	}
	return nil
}

// markdown is the whole report.
func (r *report) markdown() string {
	var b strings.Builder
	command := "go run ."
	if r.short {
		command += " -short"
	}
	fmt.Fprintf(&b, "# Results\n\nMade by `%s` on %s, %s/%s, %d processors (%s), in %v.\n", command,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), r.took.Round(time.Second))
	fmt.Fprintf(&b, "CPU time an operation: medians of %d interleaved rounds of about %v, with the quartiles and the least. The ratio is the median of the ratios to the first line, round by round. Compare ratios; times belong to this machine.\n", r.pace.rounds, r.pace.round)
	r.goals(&b)
	for _, h := range r.held {
		h.markdown(&b)
	}
	versions(&b)
	return b.String()
}

func (h *held) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n`%s`", h.title, h.id)
	if h.note != "" {
		fmt.Fprintf(b, " · %s", h.note)
	}
	kept := slices.ContainsFunc(h.results, func(r result) bool { return r.Retain != 0 })
	fmt.Fprintf(b, "\n\n| | CPU per %s | quartiles | least | ratio | allocations | bytes |", cmp.Or(h.per, "request"))
	if kept {
		b.WriteString(" kept per item |")
	}
	if h.remote {
		b.WriteString(" time |")
	}
	b.WriteString("\n|---|--:|--:|--:|--:|--:|--:|")
	if kept || h.remote {
		b.WriteString("--:|")
	}
	b.WriteByte('\n')
	for _, r := range h.results {
		name := r.name
		if r.kind == ours {
			name = "**" + name + "**"
		}
		if r.Err != nil {
			fmt.Fprintf(b, "| %s | not measured: %s |\n", name, strings.ReplaceAll(r.Err.Error(), "\n", " "))
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s to %s | %s | %s | %s | %.0f |", name,
			duration(r.CPU.Median), duration(r.CPU.Q1), duration(r.CPU.Q3), duration(r.CPU.Min), ratio(r.Ratio.Median), count(r.Allocs), r.Bytes)
		if kept {
			if r.Retain != 0 {
				fmt.Fprintf(b, " %.1f B", r.Retain)
			}
			b.WriteString(" |")
		}
		if h.remote {
			fmt.Fprintf(b, " %s |", duration(r.Wall.Median))
		}
		b.WriteByte('\n')
	}
}

// duration writes nanoseconds with three digits.
func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return digits(ns) + " ns"
	case ns < 1e6:
		return digits(ns/1e3) + " µs"
	default:
		return digits(ns/1e6) + " ms"
	}
}

func digits(x float64) string {
	switch {
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.0f", x)
	}
}

func ratio(x float64) string {
	if x < 0.1 {
		return fmt.Sprintf("%.4f", x)
	}
	return digits(x)
}

// count writes allocations: a few that come from outside do not count.
func count(x float64) string {
	if x < 9.95 && x-float64(int(x+0.5)) > 0.05 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return "unknown"
}

// measured are the modules that take part.
var measured = []string{
	"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3", "github.com/labstack/echo-jwt/v5", "github.com/labstack/echo/v5",
	"github.com/appleboy/gin-jwt/v3", "github.com/gin-gonic/gin", "github.com/go-chi/jwtauth/v5", "github.com/lestrrat-go/jwx/v3",
	"github.com/coreos/go-oidc/v3", "github.com/auth0/go-jwt-middleware/v3", "golang.org/x/time", "github.com/sethvargo/go-limiter",
	"github.com/throttled/throttled/v2", "github.com/ulule/limiter/v3", "github.com/didip/tollbooth/v8", "github.com/go-chi/httprate",
	"github.com/go-redis/redis_rate/v10", "github.com/go-chi/httprate-redis", "github.com/redis/go-redis/v9",
}

func versions(b *strings.Builder) {
	b.WriteString("\n## Versions\n\n")
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	for _, m := range info.Deps {
		if slices.Contains(measured, m.Path) {
			fmt.Fprintf(b, "- %s %s\n", m.Path, m.Version)
		}
	}
}
