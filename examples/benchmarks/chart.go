package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// charted are the contests that the chart shows.
var charted = []string{"guard/RS256", "server/RS256", "limit/1k", "limit/http-admitted"}

// Sizes of the chart, in pixels.
const (
	chartWidth = 890
	labelWidth = 280
	valueWidth = 80
	barHeight  = 16
	barStep    = 20
	titleStep  = 46
)

// chart draws the contests as bars on a logarithmic scale, one for each, each
// with a line at the floor.
func (r *report) chart() string {
	var shown []held
	height := 20
	for _, h := range r.held {
		if slices.Contains(charted, h.id) {
			h.results = slices.DeleteFunc(slices.Clone(h.results), func(r result) bool { return r.Err != nil })
			if len(h.results) > 0 {
				shown = append(shown, h)
				height += titleStep + barStep*len(h.results)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" font-family="system-ui, sans-serif" font-size="13" role="img">`+"\n", chartWidth, height, chartWidth)
	b.WriteString("<title>CPU time per operation: gatehouse, its peers, and the floor</title>\n")
	b.WriteString("<style>text{fill:#333}.ours{fill:#0b6e4f}.peer{fill:#b0b7bf}.floor{fill:#d9a441}.axis{stroke:#8884;stroke-width:1}.title{font-weight:600}@media(prefers-color-scheme:dark){text{fill:#ddd}.peer{fill:#6b737c}.ours{fill:#2bb58a}}</style>\n")
	y := 10
	for _, h := range shown {
		y = h.bars(&b, y)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// bars draws one contest below y and returns where it ends.
func (h *held) bars(b *strings.Builder, y int) int {
	low, high := math.Inf(1), 0.0
	for _, r := range h.results {
		low, high = min(low, r.CPU.Median), max(high, r.CPU.Median)
	}
	from := math.Floor(math.Log10(low*0.8)*2) / 2
	scale := (chartWidth - labelWidth - valueWidth) / (math.Log10(high) - from)
	length := func(ns float64) float64 { return (math.Log10(ns) - from) * scale }
	y += 18
	fmt.Fprintf(b, `<text class="title" x="10" y="%d">%s</text>`+"\n", y, html.EscapeString(h.title+", CPU time, logarithmic"))
	y += 10
	bottom := y + barStep*len(h.results)
	for decade := math.Ceil(from); math.Pow(10, decade) < high; decade++ {
		x := labelWidth + length(math.Pow(10, decade))
		fmt.Fprintf(b, `<line class="axis" x1="%.0f" x2="%.0f" y1="%d" y2="%d"/><text x="%.0f" y="%d" font-size="10" text-anchor="middle">%s</text>`+"\n",
			x, x, y, bottom, x, bottom+9, power(decade))
	}
	for _, r := range slices.SortedStableFunc(slices.Values(h.results), func(a, b result) int {
		return int(math.Copysign(1, a.CPU.Median-b.CPU.Median))
	}) {
		class := map[kind]string{floor: "floor", ours: "ours", peer: "peer"}[r.kind]
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/><text x="%.1f" y="%d">%s</text>`+"\n",
			labelWidth-8, y+13, html.EscapeString(r.name), class, labelWidth, y, length(r.CPU.Median), barHeight,
			labelWidth+length(r.CPU.Median)+6, y+13, duration(r.CPU.Median))
		y += barStep
	}
	return y + 18
}

// power writes a power of ten of nanoseconds.
func power(decade float64) string {
	switch n := int(decade); {
	case n < 3:
		return fmt.Sprintf("%.0f ns", math.Pow(10, decade))
	case n < 6:
		return fmt.Sprintf("%.0f µs", math.Pow(10, decade-3))
	default:
		return fmt.Sprintf("%.0f ms", math.Pow(10, decade-6))
	}
}
