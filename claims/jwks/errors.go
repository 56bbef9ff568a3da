package jwks

import (
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/claims/internal/strict"
)

// ErrUnavailable is matched by every error of Keys and Ready. It says that the
// keys could not be found out: there are none yet, or they are too old, or the
// set is closed, or the answer would have come too late. It says nothing about
// a token, so a caller answers 503 and not 401.
var ErrUnavailable = errors.New("jwks: keys unavailable")

var (
	errConfig   = errors.New("jwks: Config")
	errFiles    = errors.New("jwks: FilesConfig")
	errFetch    = errors.New("jwks: fetch")
	errDocument = errors.New("jwks: JWK Set")
	errKey      = errors.New("jwks: key")
	errKeyfunc  = errors.New("jwks: keyfunc")

	errClosed = fmt.Errorf("%w: the set is closed", ErrUnavailable)
	errEmpty  = fmt.Errorf("%w: no set was loaded yet", ErrUnavailable)
	errStale  = fmt.Errorf("%w: the last good set is older than MaxStale", ErrUnavailable)
	errLapsed = fmt.Errorf("%w: all keys are in certificates that are not valid now", ErrUnavailable)
	errAsked  = fmt.Errorf("%w: the key server has asked to be left alone for a while (Retry-After)", ErrUnavailable)
	errBusy   = fmt.Errorf("%w: too many requests wait for a fetch", ErrUnavailable)
)

// quoted renders a stranger's bytes for logs and errors.
func quoted(s string) string { return strict.Quoted(s) }
