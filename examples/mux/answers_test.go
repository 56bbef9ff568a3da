package mux_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const (
	manager    = "Authorization: Bearer MANAGER"
	contractor = "Authorization: Bearer CONTRACTOR"
	refresh    = "Authorization: Bearer REFRESH"
	forged     = "Authorization: Bearer FORGED"
)

// requests name, for each, the status and a part of the answer that it must
// have, so that four equal mistakes are found too.
var requests = []struct {
	name, line string
	headers    []string
	status     int
	want       string
}{
	{"public", "GET /public", nil, 200, "come in\n"},
	{"public with a bad token", "GET /public", []string{forged}, 200, "come in\n"},

	{"account without token", "GET /me", nil, 401, "Bearer realm=\"api\"\r\n"},
	{"account", "GET /me", []string{contractor}, 200, "contractor@example.com is a Contractor of company 3\n"},
	{"account with a forged token", "GET /me", []string{forged}, 401, `error="invalid_token"`},
	{"account with a refresh token", "GET /me", []string{refresh}, 401, `error="invalid_token"`},
	{"account with two tokens", "GET /me", []string{manager, contractor}, 400, `error="invalid_request"`},
	{"account with the token in the query", "GET /me?access_token=MANAGER", nil, 401, "Bearer realm=\"api\"\r\n"},

	{"optional without token", "GET /hello", nil, 200, "hello, stranger\n"},
	{"optional", "GET /hello", []string{manager}, 200, "hello, manager@example.com\n"},
	{"optional with a forged token", "GET /hello", []string{forged}, 401, `error="invalid_token"`},

	{"scope", "POST /orders", []string{manager}, 201, "ordered\n"},
	{"scope missing", "POST /orders", []string{contractor}, 403, `scope="orders:write"`},

	{"group without token", "GET /buildings", nil, 401, "Bearer realm"},
	{"group", "GET /buildings", []string{manager}, 200, "2001\n2002\n"},
	{"group of another party", "GET /buildings", []string{contractor}, 403, `error="insufficient_scope"`},
	{"guard in a group", "GET /buildings/2001", []string{manager}, 200, "building 2001\n"},
	{"guard in a group, not his", "GET /buildings/3001", []string{manager}, 403, `error="insufficient_scope"`},
	{"guard in a group, not his party", "GET /buildings/3001", []string{contractor}, 403, `error="insufficient_scope"`},
	{"guard in a group without token", "GET /buildings/2001", nil, 401, "Bearer realm"},

	{"events without token", "GET /events", nil, 401, "Bearer realm"},
	{"socket without token", "GET /socket", []string{"Connection: Upgrade", "Upgrade: echo"}, 401, "Bearer realm"},
	{"socket without upgrade", "GET /socket", []string{manager}, 426, "Upgrade: echo\r\n"},

	{"service without token", "GET /service/orders", nil, 401, "Bearer realm"},
	{"service", "PUT /service/orders?a=b", []string{manager}, 418, "PUT /orders?a=b"},
	{"service never sees the token", "GET /service/", []string{manager}, 418, "Authorization: []\n"},
	{"service learns who calls", "GET /service/", []string{manager}, 418, "X-Caller: [\"manager@example.com\"]\nX-Caller-Party: [\"Manager\"]\n"},
	{"service is not lied to", "GET /service/", []string{contractor, "X-Caller: manager@example.com", "X-Caller-Party: Manager"}, 418, "X-Caller: [\"contractor@example.com\"]\nX-Caller-Party: [\"Contractor\"]\n"},
	{"service keeps what a client would drop", "GET /service/", []string{contractor, "Connection: X-Caller, X-Caller-Party"}, 418, "X-Caller: [\"contractor@example.com\"]\n"},
	{"service sees whom we see", "GET /service/", []string{manager, "X-Forwarded-For: 192.0.2.1"}, 418, "X-Forwarded-For: [\"127.0.0.1\"]\nX-Forwarded-Host: [\"api.example\"]\n"},
}

func TestAnswers(t *testing.T) {
	service := upstream(t)
	servers, secrets := map[string]program{}, map[string]*strings.Replacer{}
	for _, name := range muxes {
		servers[name] = start(t, name, "-upstream", service)
		secrets[name] = tokens(t, servers[name].base)
	}
	for _, row := range requests {
		t.Run(row.name, func(t *testing.T) {
			answers := map[string]string{}
			for name, server := range servers {
				var headers []string
				for _, header := range row.headers {
					headers = append(headers, secrets[name].Replace(header))
				}
				response := do(t, server.base, secrets[name].Replace(row.line), "", headers...)
				answers[name] = dump(t, response)
				if response.StatusCode != row.status || !strings.Contains(answers[name], row.want) {
					t.Errorf("%s: want %d with %q, got\n%s", name, row.status, row.want, answers[name])
				}
			}
			same(t, answers)
		})
	}
}

// same fails unless all muxes gave the answer that the standard library's gave.
func same(t *testing.T, answers map[string]string) {
	t.Helper()
	for name, answer := range answers {
		if answer != answers["stdlib"] {
			t.Errorf("%s differs\n%s\nfrom stdlib\n%s", name, answer, answers["stdlib"])
		}
	}
}

var token = regexp.MustCompile(`"[\w-]+\.[\w-]+\.[\w-]+"`)

// TestLogin has programs of its own, as it logs in until the limit.
func TestLogin(t *testing.T) {
	const right, wrong = "email=Manager@example.com&password=demo-password", "email=manager@example.com&password=guess"
	in, out, last := map[string]string{}, map[string]string{}, map[string]string{}
	for _, name := range muxes {
		server := start(t, name)
		answer := dump(t, do(t, server.base, "POST /login", right, form))
		if found := len(token.FindAllString(answer, -1)); found != 2 {
			t.Errorf("%s: want 2 tokens, got %d", name, found)
		}
		in[name] = token.ReplaceAllString(answer, `"TOKEN"`)
		out[name] = dump(t, do(t, server.base, "POST /login", wrong, form))
		if !strings.Contains(out[name], "invalid_grant") {
			t.Errorf("%s: want invalid_grant, got\n%s", name, out[name])
		}
		status := 0
		for range 100 { // some come back while the rest are sent
			response := do(t, server.base, "POST /login", wrong, form)
			if status = response.StatusCode; status == http.StatusTooManyRequests {
				response.Header.Set("Retry-After", "N")
				last[name] = dump(t, response)
				break
			}
		}
		if status != http.StatusTooManyRequests {
			t.Errorf("%s: guessed a hundred times, the last answer was %d", name, status)
		}
	}
	same(t, in)
	same(t, out)
	same(t, last)
}
