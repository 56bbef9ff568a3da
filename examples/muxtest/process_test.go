package muxtest_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestProcess starts each program, uses it, and ends it while a stream is open.
func TestProcess(t *testing.T) {
	for name := range muxes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := exec.Command(os.Args[0], "-addr", "127.0.0.1:0")
			program.Env = append(os.Environ(), "MUX="+name)
			out, err := program.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { program.Process.Kill() })
			lines := bufio.NewScanner(out)
			lines.Scan()
			base, found := strings.CutPrefix(lines.Text(), "listening on ")
			if !found {
				t.Fatalf("the first line is %q", lines.Text())
			}
			if got := dump(t, do(t, base, "GET /public", "")); !strings.HasSuffix(got, "come in\n") {
				t.Error(got)
			}
			login := dump(t, do(t, base, "POST /login", "email=manager@example.com&password=demo-password", "Content-Type: application/x-www-form-urlencoded"))
			_, access, _ := strings.Cut(login, `"access_token":"`)
			access, _, _ = strings.Cut(access, `"`)
			if stream := do(t, base, "GET /events", "", "Authorization: Bearer "+access); stream.StatusCode != 200 {
				t.Errorf("events: %s", stream.Status)
			}
			program.Process.Signal(syscall.SIGTERM)
			if lines.Scan() {
				t.Errorf("a second line on stdout: %q", lines.Text())
			}
			if err := program.Wait(); err != nil {
				t.Errorf("after SIGTERM: %v", err)
			}
		})
	}
}
