package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Session is one live session, as a page that lists a user's devices shows it.
type Session struct {
	ID      string
	Label   string    // what WithLabel said when it was issued
	Created time.Time // when it was issued
	Used    time.Time // when it was last refreshed
	Expiry  time.Time // when it ends if it is not refreshed
}

// Sessions returns the live sessions of a subject, last used first. With an error
// some may be missing.
func (i *Issuer[T]) Sessions(ctx context.Context, subject string) ([]Session, error) {
	if i == nil || i.refreshTokens == nil {
		return nil, errNoIssuer
	}
	subject, err := i.subject(subject)
	if err != nil {
		return nil, err
	}
	records, err := i.config.Store.List(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("issuer: store: %w", err)
	}
	var live []Session
	var damaged []error
	for _, r := range records {
		found, err := readSession(r)
		switch {
		case err != nil:
			damaged = append(damaged, err)
		case found.ended == "": // those that expired meanwhile the store has left out
			live = append(live, Session{found.id, found.label, found.created, found.rotated, found.expiry})
		}
	}
	slices.SortFunc(live, func(a, b Session) int { return b.Used.Compare(a.Used) })
	return live, errors.Join(damaged...)
}

// Outdate makes all access tokens that a subject has now stop working at every
// [SessionVerifier]. Its clients then refresh at once, and Renew is asked what the
// subject may do now. The sessions and their refresh tokens live on. An error means
// that some tokens may still work.
//
// Call it after what Renew reads was changed. A login that was let in just before the
// change may still get tokens of the old grant. Where that matters, call Outdate again
// when the slowest login must be over.
func (i *Issuer[T]) Outdate(ctx context.Context, subject string) error {
	return i.each(ctx, subject, func(session *session) bool {
		session.outdated = session.accessGeneration()
		return true
	})
}

// accessGeneration is the generation in the ids of new access tokens: the session's,
// or if that is outdated, the next that is not. It never falls. Outdate moves it on,
// so that access tokens minted before it no longer count, and those minted after it
// do, also for a refresh token that stays as it is. The store's order of events
// decides, and no clock.
func (s *session) accessGeneration() uint64 { return max(s.generation, s.outdated+1) }

// maxLabel bounds a label, in bytes.
const maxLabel = 256

type labelKey struct{}

// WithLabel returns a copy of ctx in which [Issuer.Issue] gives the session
// that it starts a label, such as the device's name. It is cut to 256 bytes of
// valid UTF-8 without control characters. It is what the client says: never
// decide by it, and escape it where it is shown.
func WithLabel(ctx context.Context, label string) context.Context {
	label = strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(label[:min(len(label), maxLabel)], ""))
	return context.WithValue(ctx, labelKey{}, label)
}

func labelOf(ctx context.Context) string {
	label, _ := ctx.Value(labelKey{}).(string)
	return label
}
