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

// Sessions returns the live sessions of a subject, last used first.
func (s *Issuer[T]) Sessions(ctx context.Context, subject string) ([]Session, error) {
	if s == nil || s.refreshTokens == nil {
		return nil, errNoIssuer
	}
	subject, err := s.subject(subject)
	if err != nil {
		return nil, err
	}
	records, err := s.config.Store.List(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("issuer: store: %w", err)
	}
	var live []Session
	var damaged []error
	for _, r := range records {
		e, err := read(r)
		switch {
		case err != nil:
			damaged = append(damaged, err)
		case e.ended == "":
			live = append(live, Session{e.id, e.label, e.created, e.rotated, e.expiry})
		}
	}
	slices.SortFunc(live, func(a, b Session) int { return b.Used.Compare(a.Used) })
	return live, errors.Join(damaged...)
}

// Outdate makes the access tokens that a subject has stop working at every
// [SessionVerifier], so that its clients refresh at once and Renew is asked:
// after a change of what the subject may do. The sessions live on, and so do
// their refresh tokens, with and without rotation. An error means that some
// tokens may still work.
//
// Call it after what Renew reads was changed. A login that was let in just
// before, and is under way, may still get tokens of what was granted then: where
// that matters, call it again when the slowest login must be over.
func (s *Issuer[T]) Outdate(ctx context.Context, subject string) error {
	return s.each(ctx, subject, func(e *session) bool {
		e.outdated = e.accessGeneration()
		return true
	})
}

// accessGeneration is what access tokens have for a generation: the session's,
// or the next that is not outdated. It never falls, and Outdate moves it on, so
// that whatever was minted before no longer counts, by the store's order of
// events and no clock's, and whatever is minted afterwards does, also for a
// refresh token that stays as it is.
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
