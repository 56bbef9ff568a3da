package issuer

import (
	"context"
	"log/slog"
)

// Event says that a session has ended because a refresh token was presented that a
// client which plays by the rules does not present. It is raised once for a session,
// before the answer. The context does not end when the client hangs up.
//
// The store notes that it was raised. While the store can't, each further refresh
// token of the session that is presented raises it again: tell repetitions by Session.
// If the call that ended the session could not raise it, because the store's answer
// was lost, the next call with any refresh token of the session does.
type Event struct {
	// Reason is "reuse" when a spent token came back: it was stolen, or the client
	// refreshed twice. It is "rollback" when the token is of a later generation than
	// its session: the store has lost a write that it had confirmed.
	Reason string
	// Session and Subject name whose it was.
	Session, Subject string
	// Presented is the token's generation, Current the session's.
	Presented, Current uint64
}

// raise logs e and passes it on. The log has no subject, which is often an
// address of a person.
func (i *Issuer[T]) raise(ctx context.Context, e Event) {
	i.logger().LogAttrs(ctx, slog.LevelWarn, "issuer: session ended: "+e.Reason+" of a refresh token",
		slog.String("reason", e.Reason), slog.String("session", e.Session),
		slog.Uint64("presented", e.Presented), slog.Uint64("current", e.Current))
	if i.config.OnEvent != nil {
		i.config.OnEvent(ctx, e)
	}
}

func (i *Issuer[T]) logger() *slog.Logger {
	if i != nil && i.config.Logger != nil {
		return i.config.Logger
	}
	return slog.Default()
}
