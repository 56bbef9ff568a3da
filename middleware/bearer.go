package middleware

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Bearer returns the token in a request's Authorization header, RFC 6750 §2.1:
// for handlers that take another token there than an access token, such as a
// refresh token. It proves nothing about the token but its form. Errors are
// ErrMissing, ErrMalformed, or claims.ErrInvalid for bytes that no token has.
//
// Nothing else of the request is read: no query, no form (RFC 6750 §2.2 and
// §2.3, both discouraged by RFC 9700 §4.3.2), no other header.
func Bearer(r *http.Request) (string, error) {
	token, err := credentials(r)
	if err == nil {
		err = wellFormed(token)
	}
	if err != nil {
		return "", err
	}
	return token, nil
}

// token takes the token out of the Authorization header or, if there is none
// and the Config names one, a cookie. Its form is not checked.
func (g *Guard[T]) token(r *http.Request) (string, error) {
	if !g.byCookie(r) {
		return credentials(r)
	}
	// A browser adds cookies by itself (RFC 6265 §8.2), so that the page counts that
	// made it send the request.
	judged := r
	if len(r.Header["Upgrade"]) > 0 { // a WebSocket, which may do everything, begins with GET
		judged = &http.Request{Method: http.MethodPost, URL: r.URL, Host: r.Host, Header: r.Header}
	}
	if err := g.origins.Check(judged); err != nil {
		return "", fmt.Errorf("%w: the cookie came with another site's request", ErrMissing)
	}
	return cookie(r.CookiesNamed(g.config.Cookie))
}

// byCookie reports whether r's token, if it has one, is in the cookie.
func (g *Guard[T]) byCookie(r *http.Request) bool {
	return g.config.Cookie != "" && len(r.Header["Authorization"]) == 0
}

// credentials reads RFC 6750 §2.1: "Bearer" 1*SP b64token, the scheme in any
// case (RFC 9110 §11.1). The form of the token is left to wellFormed. What does not
// begin with "Bearer" and a space is of another scheme.
func credentials(r *http.Request) (string, error) {
	fields := r.Header["Authorization"]
	switch len(fields) {
	case 0:
		return "", ErrMissing
	case 1:
	default:
		// Authorization is not a list (RFC 9110 §11.6.2). Which one of several counts
		// would depend on the reader: a proxy may take another than we do.
		return "", fmt.Errorf("%w: %d Authorization headers", ErrMalformed, len(fields))
	}
	scheme, rest, _ := strings.Cut(fields[0], " ")
	// Nothing beyond ASCII folds to a letter of this word.
	if !strings.EqualFold(scheme, "Bearer") {
		return "", fmt.Errorf("%w: another scheme", ErrMissing)
	}
	return strings.TrimLeft(rest, " "), nil
}

// cookie reads the token from the cookies of its name. An empty one is how
// applications take a cookie back.
func cookie(found []*http.Cookie) (string, error) {
	switch {
	case len(found) == 0, len(found) == 1 && found[0].Value == "":
		return "", ErrMissing
	case len(found) > 1:
		return "", fmt.Errorf("%w: %d cookies of the token's name", ErrMalformed, len(found))
	// Some readers keep the quotes, some drop them: two tokens from one cookie.
	case found[0].Quoted:
		return "", fmt.Errorf("%w: in quotes", claims.ErrInvalid)
	}
	return found[0].Value, nil
}

// wellFormed returns nil if token is a b64token. If it is empty or more than one
// word, the request is wrong (400). If it has other bytes, the token is (401):
// nothing is trimmed, unquoted or percent-decoded to make it fit.
func wellFormed(token string) error {
	switch {
	case isB64token(token):
		return nil
	case token == "":
		return fmt.Errorf("%w: the token is empty", ErrMalformed)
	case strings.ContainsAny(token, " \t"):
		return fmt.Errorf("%w: something follows the token", ErrMalformed)
	}
	return fmt.Errorf("%w: a byte that is not of a b64token", claims.ErrInvalid)
}

// isB64token reports whether s is
// 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" (RFC 6750 §2.1).
func isB64token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if !b64tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

// b64tokenByte has true for the bytes of a b64token but "=".
var b64tokenByte = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		is[c] = true
	}
	return is
}()
