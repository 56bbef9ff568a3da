package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/claims"
)

// Issue starts a session for a subject and returns its first pair. The caller has
// authenticated the subject: Issue believes what it is told. With an error there is
// no pair, and no session that anybody could use.
//
// Of c, Subject, Party, Scope and App count, and Subject is required. All other
// fields are the issuer's to set; it is an error if one is set. App is kept with the
// session as encoding/json writes it.
//
// With Dialect.ObjectSubject the Subject may be given in any spelling, here and in
// all other methods. It is written in one: without white space, members in the order
// of their names. Its numbers must be integers, written as such. Other numbers, and
// members that are repeated, are refused.
func (i *Issuer[T]) Issue(ctx context.Context, c claims.Claims[T]) (Pair, error) {
	if i == nil || i.refreshTokens == nil {
		return Pair{}, errNoIssuer
	}
	if err := ctx.Err(); err != nil {
		return Pair{}, fmt.Errorf("issuer: %w", err)
	}
	if err := onlyGranted(&c); err != nil {
		return Pair{}, err
	}
	subject, err := i.subject(c.Subject)
	if err != nil {
		return Pair{}, err
	}
	// Loaded for the store's time, by which the session will be judged; there is no
	// record yet.
	id := i.ids.newSession()
	_, now, err := i.config.Store.Load(ctx, id)
	if err != nil {
		return Pair{}, fmt.Errorf("issuer: store: %w", err)
	}
	now = now.Truncate(time.Millisecond)
	started := &session{id: id, subject: subject, created: now, absolute: now.Add(i.config.SessionLife), label: labelOf(ctx)}
	i.advance(started, now)
	if err := i.setGrant(started, &c); err != nil {
		return Pair{}, err
	}
	pair, err := i.mint(ctx, started, &c, now, true)
	if err != nil {
		return Pair{}, err
	}
	swapped, err := i.swap(ctx, started)
	if err == nil && !swapped { // 128 random bits were taken: not by chance
		err = errBusy
	}
	if err != nil {
		return Pair{}, err
	}
	return pair, nil
}

// advance begins the next generation of a session.
func (i *Issuer[T]) advance(of *session, now time.Time) {
	of.generation++
	of.rotated = now
	of.expiry = earlier(now.Add(i.config.RefreshLife), of.absolute)
}

// setGrant makes what c grants the grant of a session.
func (i *Issuer[T]) setGrant(of *session, c *claims.Claims[T]) error {
	app, err := json.Marshal(c.App)
	if err != nil {
		return fmt.Errorf("issuer: App: %w", err)
	}
	// Most applications have no App: four bytes fewer in each record, and nothing to
	// read at each refresh.
	if string(app) == "{}" || string(app) == "null" {
		app = nil
	}
	of.grant = grant{c.Party, c.Scope, app}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
