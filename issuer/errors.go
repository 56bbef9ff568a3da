package issuer

import (
	"errors"
	"fmt"
)

// ErrGrant is matched by every error of [Issuer.Refresh] that is about the
// refresh token: it is forged, expired, spent, or its session has ended. The
// client has to log in again; a caller answers 400 invalid_grant, RFC 6749 §5.2.
//
// An error that does not match ErrGrant says nothing about the token: it could
// not be judged, and is worth presenting again. A caller answers 503.
var ErrGrant = errors.New("issuer: invalid grant")

// ErrReused says that the token was genuine and had been spent before, and that
// its session has ended for that. It also matches [ErrGrant].
var ErrReused = fmt.Errorf("%w: the refresh token was spent before", ErrGrant)

// ErrRefused is for the application's own functions to return, also wrapped. From
// Config.Renew it ends the session: the account is disabled or gone. From the
// function given to [Issuer.LoginHandler] it means that the credentials are
// wrong. Any other error of theirs means that they could not tell.
var ErrRefused = errors.New("issuer: refused")

// Why a refresh token is refused. Callers branch on the exported classes, the
// log has the text.
var (
	errUnknown   = fmt.Errorf("%w: no such session", ErrGrant)
	errEnded     = fmt.Errorf("%w: the session has ended", ErrGrant)
	errExpired   = fmt.Errorf("%w: the session has expired", ErrGrant)
	errExhausted = fmt.Errorf("%w: the session can't be refreshed any more often", ErrGrant)
	errAhead     = fmt.Errorf("%w: the token is newer than its session", ErrGrant)
	errSpent     = fmt.Errorf("%w: the token has just been spent", ErrGrant)
	errForeign   = fmt.Errorf("%w: the token is not of this session", ErrGrant)
	errNoIssuer  = errors.New("issuer: the Issuer was not made by New")
	errBusy      = errors.New("issuer: the session changed again and again while it was to be changed")

	// errUnchanged is about a session that was to end, or to be outdated. It is
	// logged also when the client has gone.
	errUnchanged = errors.New("issuer: a session may go on as it was")
)
