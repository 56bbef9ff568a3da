package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/issuer"
)

// challengeLife is how long a challenge may be answered.
const challengeLife = time.Minute

// challenges makes texts to be signed once. A text says by itself who may answer
// it, where, and until when; nothing is kept of it until somebody has, so
// strangers can't fill any memory.
type challenges struct {
	audience string
	secret   []byte
	store    issuer.Store // of those that were answered
}

func newChallenges(audience string, store issuer.Store) *challenges {
	secret := make([]byte, 32)
	rand.Read(secret)
	return &challenges{audience, secret, store}
}

// make returns a challenge for an address. Clients should sign it only if its
// first two lines are what they expect: nobody can then pass on another's.
func (c *challenges) make(email string, now time.Time) string {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	text := fmt.Sprintf("FIB login\n%s\n%s\n%d\n%s", c.audience, email, now.Add(challengeLife).Unix(), encoded(nonce))
	return text + "\n" + c.seal(text)
}

func (c *challenges) seal(text string) string {
	mac := hmac.New(sha256.New, c.secret)
	mac.Write([]byte(text))
	return encoded(mac.Sum(nil))
}

// fresh reports whether a challenge is ours, meant for email, and in time; and
// if so, what spend needs.
func (c *challenges) fresh(challenge, email string, now time.Time) (nonce string, expiry time.Time, ok bool) {
	end := strings.LastIndexByte(challenge, '\n')
	if end < 0 || !hmac.Equal([]byte(c.seal(challenge[:end])), []byte(challenge[end+1:])) {
		return "", time.Time{}, false
	}
	var seconds int64
	line := strings.Split(challenge[:end], "\n") // as make wrote them: the seal held
	if _, err := fmt.Sscan(line[3], &seconds); err != nil {
		return "", time.Time{}, false
	}
	expiry = time.Unix(seconds, 0)
	return line[4], expiry, line[2] == email && now.Before(expiry)
}

// spend reports whether a challenge that was answered well is answered for the
// first time. Any store of sessions can say that, as one atomic step.
func (c *challenges) spend(ctx context.Context, nonce string, expiry time.Time) (bool, error) {
	name := "challenge-" + nonce
	return c.store.Swap(ctx, issuer.Record{Session: name, Subject: name, Version: 1, Expiry: expiry.Add(time.Minute)})
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
