package ratelimit

import "net/http"

// Handler passes on to next what the limit admits, and answers what it refuses: 429
// with Retry-After (RFC 6585 section 4). A request that could not be judged is
// answered with 400 if its key is an [ErrBadRequest], and else with 503. The answer is
// given before the body is read.
//
// A limiter without a Key can judge no request. The Logger hears of it at once.
//
// Limits in a row, one around the other, are told together: RateLimit and
// RateLimit-Policy are lists, and each limit adds its line. The older headers of
// Config.Legacy are those of the inner limit.
func (l *Limiter) Handler(next http.Handler) http.Handler {
	if l == nil {
		l = new(Limiter)
	}
	l.responder.mounted(l.mistake())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(w, r, next) })
}

// serve decides about one request and passes it on or answers it.
func (l *Limiter) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	var d Decision
	err := l.check(r, &d)
	l.responder.write(w, r, &d, err)
	if err == nil && d.Allowed {
		next.ServeHTTP(w, r)
	}
}

// Refuse answers r as Handler would, by a decision that is made already: d and err
// are what Check or Allow returned. It is for frameworks with handlers of another
// form, and for keys that only the handler knows. If d admits, it sets the headers of
// the limit and answers nothing.
func (l *Limiter) Refuse(w http.ResponseWriter, r *http.Request, d Decision, err error) {
	if l == nil {
		l = new(Limiter)
	}
	l.responder.write(w, r, &d, err)
}
