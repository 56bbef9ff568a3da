package strict

import "fmt"

// Quoted renders a stranger's bytes for a log or an error: escaped and short, so
// that a line stays one line. Names of issuers are longer than 64 bytes, and may
// differ in the last.
func Quoted(s string) string {
	const most = 128
	if len(s) <= most {
		if q := fmt.Sprintf("%+q", s); len(q) <= most+most/4 {
			return q
		}
	}
	// What is full of escapes becomes four times as long, or more.
	for n := min(len(s), most); ; n /= 2 {
		if q := fmt.Sprintf("%+q...", s[:n]); len(q) <= most+most/4 {
			return q
		}
	}
}
