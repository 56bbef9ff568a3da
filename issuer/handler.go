package issuer

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer/internal/params"
)

// retryAfter is for how many seconds clients are asked to wait when something
// could not be done.
const retryAfter = 5

// LoginHandler answers POST requests with the first pair of a session, RFC 6749 §5.1,
// if authenticate knows their sender. authenticate returns the claims to issue; or an
// error that matches [ErrRefused], answered 400 invalid_grant; or any other error if
// it can't tell, answered 503. The session's label is the User-Agent.
//
// Wrong credentials, and requests that make no sense, should all be ErrRefused, so
// that they are answered alike. authenticate should take as long for accounts that
// don't exist, and be behind a limit of tries: package lockout.
//
// # The body
//
// authenticate reads the request. Its body ends with an error after 64 KiB. The URL
// should hold no secret.
//
//	in, err := issuer.ReadBody(r, "email", "password") // a form or JSON
//	if err != nil {
//		return claims.Claims[Account]{}, err
//	}
//
// [ReadBody] reads a body in one way or refuses it. encoding/json would take the last
// of two members with the same name, in any case: then nothing else may read the body
// and decide by it.
func (i *Issuer[T]) LoginHandler(authenticate func(*http.Request) (claims.Claims[T], error)) http.Handler {
	return i.post(func(r *http.Request) reply {
		if authenticate == nil {
			return i.failed(r, errors.New("issuer: LoginHandler was given no function"))
		}
		c, err := authenticate(r)
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			return i.senseless(r, "invalid_request", params.TooLarge)
		case errors.Is(err, ErrRefused):
			i.logger().DebugContext(r.Context(), "issuer: login refused", slog.Any("error", err))
			return refusal(http.StatusBadRequest, "invalid_grant")
		case err != nil:
			return i.failed(r, err)
		}
		pair, err := i.Issue(WithLabel(r.Context(), r.UserAgent()), c)
		if err != nil {
			return i.failed(r, err)
		}
		return granted(pair)
	})
}

// RefreshHandler spends the refresh token in a POST request and answers with the next
// pair: RFC 6749 §3.2, §5.1, §5.2 and §6. The body is a form with grant_type and
// refresh_token, or a JSON object with refresh_token. Nothing else in it has any
// effect, such as scope, and the URL is not looked at. No cookie is read, so no
// foreign page can refresh.
//
// Requests that make no sense get an error_description, which says what is expected.
// Tokens that are refused get none.
//
// A middleware that reads the body first, such as the key of a limit, must bound what
// it reads (http.MaxBytesReader) and put it back. A limit by account is better in a
// handler of your own around Refresh, which knows the account.
func (i *Issuer[T]) RefreshHandler() http.Handler {
	return i.post(func(r *http.Request) reply {
		fields, refused := params.Read(r)
		if refused != nil {
			return i.senseless(r, "invalid_request", refused)
		}
		grantType, hasType := fields["grant_type"]
		token := fields["refresh_token"]
		switch {
		case token == "": // §3.2: empty is omitted
			return i.senseless(r, "invalid_request", params.Missing("refresh_token"))
		case grantType == "" && (hasType || !params.IsJSON(r)):
			return i.senseless(r, "invalid_request", params.Missing("grant_type"))
		case hasType && grantType != "refresh_token":
			return i.senseless(r, "unsupported_grant_type", otherGrant)
		}
		pair, err := i.Refresh(r.Context(), token)
		switch {
		case errors.Is(err, ErrGrant):
			i.logger().DebugContext(r.Context(), "issuer: refresh refused", slog.Any("error", err))
			return refusal(http.StatusBadRequest, "invalid_grant")
		case err != nil:
			return i.failed(r, err)
		}
		return granted(pair)
	})
}

// RevokeHandler ends the session of a refresh token or access token, RFC 7009 §2, as
// [Issuer.Revoke] does. A POST request has it as token, in a form or a JSON object; a
// token_type_hint has no effect. It answers 200 also for tokens that it doesn't know,
// and 503 if the session may live on.
//
// As with RefreshHandler, requests that make no sense are told what is expected, and a
// middleware that reads the body first must put it back.
func (i *Issuer[T]) RevokeHandler() http.Handler {
	return i.post(func(r *http.Request) reply {
		fields, refused := params.Read(r)
		if refused == nil && fields["token"] == "" {
			refused = params.Missing("token")
		}
		if refused != nil {
			return i.senseless(r, "invalid_request", refused)
		}
		if err := i.Revoke(r.Context(), fields["token"]); err != nil {
			return i.failed(r, err)
		}
		return reply{status: http.StatusOK}
	})
}

// reply is a response before it is written.
type reply struct {
	status int
	body   any // nil for none
}

// tokenResponse is RFC 6749 §5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope,omitempty"`
}

// errorResponse is RFC 6749 §5.2. It has a code, and never an error's text. A
// description is there for requests that make no sense, in fixed words. There is none
// for a token or credentials that were looked at, or it would tell of them.
type errorResponse struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

func granted(p Pair) reply {
	return reply{http.StatusOK, tokenResponse{p.AccessToken, "Bearer", int64(p.ExpiresIn.Seconds()), p.RefreshToken, p.Scope}}
}

func refusal(status int, code string) reply { return reply{status, errorResponse{Error: code}} }

var otherGrant = &params.Refusal{Status: http.StatusBadRequest, Reason: "The parameter grant_type must be refresh_token."}

// senseless refuses a request that makes no sense, and says why.
func (i *Issuer[T]) senseless(r *http.Request, code string, why *params.Refusal) reply {
	i.logger().DebugContext(r.Context(), "issuer: request refused", slog.String("path", r.URL.Path), slog.String("reason", why.Reason))
	return reply{why.Status, errorResponse{code, why.Reason}}
}

// failed logs what a client is not told.
func (i *Issuer[T]) failed(r *http.Request, err error) reply {
	// If the client has gone, most failures are that: nothing is lost, and nothing to be
	// mended. But a session that should have ended and may live on concerns us.
	if r.Context().Err() == nil || errors.Is(err, errUnchanged) {
		i.logger().ErrorContext(r.Context(), "issuer: request could not be answered",
			slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	return refusal(http.StatusServiceUnavailable, "temporarily_unavailable")
}

// post answers POST requests as decide says. It is the only writer.
func (i *Issuer[T]) post(decide func(*http.Request) reply) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := refusal(http.StatusMethodNotAllowed, "invalid_request")
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, params.Max)
			a = decide(r)
		}
		h := w.Header()
		// Of another answer, if an outer handler set them: its length would cut a token.
		h.Del("Content-Length")
		h.Del("ETag")
		h.Del("Last-Modified")
		h.Set("Cache-Control", "no-store") // RFC 6749 §5.1
		h.Set("Pragma", "no-cache")
		switch a.status {
		case http.StatusMethodNotAllowed:
			h.Set("Allow", http.MethodPost)
		case http.StatusServiceUnavailable:
			h.Set("Retry-After", strconv.Itoa(retryAfter))
		}
		if a.body == nil {
			w.WriteHeader(a.status)
			return
		}
		h.Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		json.NewEncoder(w).Encode(a.body)
	})
}
