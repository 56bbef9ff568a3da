package issuer

import (
	"context"
	"log/slog"
)

// Event says that a refresh token was presented which nobody who plays by the
// rules presents, and that its session has ended. It is raised once for a
// session, and that is noted in the store. While the store can't note it, it is
// raised again by each who presents a refresh token of the session: tell
// repetitions by Session. If whoever ended the session did not come to raise it,
// because the store's answer was lost, the next who presents any refresh token
// of the session does. The context is one that does not end when the client
// hangs up.
type Event struct {
	// Reason is "reuse" when a spent token came back: it was stolen, or the
	// client refreshed twice. It is "rollback" when a token came that is newer
	// than its session: the store has lost a change that it had confirmed.
	Reason string
	// Session and Subject name whose it was.
	Session, Subject string
	// Presented is the token's generation, Current the session's.
	Presented, Current uint64
}

// raise logs e and passes it on. The log has no subject, which is often an
// address of a person.
func (s *Issuer[T]) raise(ctx context.Context, e Event) {
	s.logger().LogAttrs(ctx, slog.LevelWarn, "issuer: session ended: "+e.Reason+" of a refresh token",
		slog.String("reason", e.Reason), slog.String("session", e.Session),
		slog.Uint64("presented", e.Presented), slog.Uint64("current", e.Current))
	if s.config.OnEvent != nil {
		s.config.OnEvent(ctx, e)
	}
}

func (s *Issuer[T]) logger() *slog.Logger {
	if s != nil && s.config.Logger != nil {
		return s.config.Logger
	}
	return slog.Default()
}
