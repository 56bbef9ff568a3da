package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/issuer"
)

// Moving in: clients hold refresh tokens that an older program made, here with
// golang-jwt and one secret, without iss and aud. Each is exchanged once for a pair, so
// that nobody has to log in again. Remove it when the last of them has expired.
func ExampleIssuer_Issue_oldRefreshToken() {
	tokens := newTokens()
	secret := []byte("the secret of the old program ..")
	key, err := claims.NewKey("HS256", "", secret)
	if err != nil {
		panic(err)
	}
	keys, err := claims.NewKeySet(key)
	if err != nil {
		panic(err)
	}
	old, err := claims.NewVerifier[Account](claims.Config{
		Keys: keys,
		Use:  claims.Refresh,
		Dialect: claims.Dialect{
			AccessType: "JWT", RefreshType: "JWT", UseMember: "type", // "access" or "refresh"
			InsecureNoIssuer: true, InsecureNoAudience: true,
		},
	})
	if err != nil {
		panic(err)
	}
	// Exchanged are those whose jti is here: a table with a unique key, which all machines
	// share. It is noted first: if Issue then fails, this client logs in.
	var exchanged sync.Map
	exchange := func(ctx context.Context, token string) (issuer.Pair, error) {
		c, err := old.Verify(ctx, token)
		if err != nil {
			return issuer.Pair{}, err
		}
		if _, again := exchanged.LoadOrStore(c.ID, true); again || c.ID == "" {
			return issuer.Pair{}, fmt.Errorf("%w: exchanged before", issuer.ErrGrant)
		}
		return tokens.Issue(ctx, claims.Claims[Account]{Subject: c.Subject, Party: Admin}) // as the account says today
	}

	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "zoe", "jti": "41", "type": "refresh", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(secret)
	if err != nil {
		panic(err)
	}
	pair, err := exchange(context.Background(), token)
	fmt.Println(pair.RefreshToken != "", err)
	_, err = exchange(context.Background(), token)
	fmt.Println(errors.Is(err, issuer.ErrGrant))
	// Output:
	// true <nil>
	// true
}
