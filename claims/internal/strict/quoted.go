package strict

import "fmt"

// Quoted renders a stranger's bytes for a log or an error: escaped and short, so
// that a line stays one line.
func Quoted(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%+q...", s[:most])
	}
	return fmt.Sprintf("%+q", s)
}
