package issuerredis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/issuer"
)

// List implements [issuer.Store]. It takes two round trips, the second for all
// sessions at once.
func (s *Store) List(ctx context.Context, subject string) ([]issuer.Record, error) {
	ctx, cancel, err := s.begin(ctx)
	defer cancel()
	if err != nil {
		return nil, err
	}
	records, err := s.listed(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("issuerredis: list: %w", err)
	}
	return records, nil
}

// page is how many sessions are loaded in one round trip.
const page = 100

// listed returns the records of the sessions on a subject's list: those that are
// still there, and still the subject's.
func (s *Store) listed(ctx context.Context, subject string) ([]issuer.Record, error) {
	sessions, err := s.client.ZRange(ctx, s.subjectKey(subject), 0, -1).Result()
	if err != nil {
		return nil, err
	}
	// A record that is named for its subject stands on no list.
	if named(subject, subject) && !slices.Contains(sessions, subject) {
		sessions = append(sessions, subject)
	}
	var records []issuer.Record
	for len(sessions) > 0 {
		n := min(len(sessions), page)
		some, err := s.loadAll(ctx, subject, sessions[:n])
		if err != nil {
			return nil, err
		}
		for _, r := range some {
			// The list is by digest, and remembers sessions that were replaced.
			if r.Subject == subject {
				records = append(records, r)
			}
		}
		sessions = sessions[n:]
	}
	return records, nil
}

// loadAll is load for many sessions, without those that are not there. A record that
// can't be read comes without data. That is an error where it is used, and does not
// keep the others from being revoked.
func (s *Store) loadAll(ctx context.Context, subject string, sessions []string) ([]issuer.Record, error) {
	answers := make([]*redis.Cmd, len(sessions))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, session := range sessions {
			// The text and not its digest: in a pipeline a NOSCRIPT comes too late to
			// send the text for one of many.
			answers[i] = p.Eval(ctx, loadText, []string{s.sessionKey(session)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var records []issuer.Record
	for i, c := range answers {
		r, _, err := answered(sessions[i], c)
		if errors.Is(err, errUnreadable) {
			r, err = issuer.Record{Session: sessions[i], Subject: subject, Version: 1}, nil
		}
		if err != nil {
			return nil, err
		}
		if r.Version != 0 {
			records = append(records, r)
		}
	}
	return records, nil
}
