// Package providers says how the tokens of well-known identity providers are
// verified: one function for each. README.md has them as a table.
//
//	p := providers.Keycloak("https://id.example/realms/shop", "orders")
//	keys, err := jwks.New(p.Keys)
//	...
//	p.Tokens.Keys = keys
//	verify, err := claims.NewVerifier[Account](p.Tokens)
//
// The functions are made to be read and copied. Each comment says by what access
// tokens are told from ID tokens and refresh tokens (RFC 8725 §3.12), and what the
// configuration weakens against the default, which is RFC 9068.
package providers

import (
	"github.com/gatehouse-go/gatehouse/claims"
	"github.com/gatehouse-go/gatehouse/claims/jwks"
)

// Provider is how the tokens of an identity provider are verified.
type Provider struct {
	// Keys is where its keys are, for jwks.New.
	Keys jwks.Config
	// Tokens is complete but for its Keys, which are what jwks.New returns.
	Tokens claims.Config
}

// Firebase verifies what the clients of Firebase Authentication show to servers:
// ID tokens of a project, by its id. Firebase has no access tokens for your own
// servers.
//
// Kinds: only ID tokens are signed by these keys; refresh tokens are opaque, session cookies have another issuer.
//
// Weakens: an ID token opens the API, as its makers want it. Whoever may sign in to the project has one, anonymous users too, if they are allowed: look at `firebase.sign_in_provider`.
func Firebase(project string) Provider {
	issuer := "https://securetoken.google.com/" + project
	return Provider{
		Keys: jwks.Config{Issuer: issuer, Origins: []string{"https://www.googleapis.com"}},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{project},
			Dialect:  claims.Dialect{AccessType: "JWT"},
		},
	}
}

// Kubernetes verifies tokens of service accounts that were made for the audience
// (a projected volume, or kubectl create token --audience). The metadata and the
// keys are at the API server, which asks its callers for a token and has a
// certificate of the cluster's: give Keys.Client a client that knows both. If the
// key server's address differs from the issuer's, server is its origin.
//
// Kinds: there is only one kind, and the audience says for whom. Tokens for the API server, which every pod has, are for another audience.
//
// Weakens: no `typ` is asked for. Old tokens from Secrets, without `aud` and `exp`, stay refused.
func Kubernetes(issuer, server, audience string) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer, Origins: []string{server}},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{audience},
			Dialect:  claims.Dialect{AbsentType: true},
		},
	}
}

// OAuth2MockServer verifies the tokens that oauth2-mock-server gives for a code or
// a password. They name no audience.
//
// Kinds: ID tokens have an `aud`, which is refused; refresh tokens are opaque.
//
// Weakens: an access token of any client opens every API, since it says for whom it is nowhere. For tests only, as the server is.
func OAuth2MockServer(issuer string) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:  issuer,
			Dialect: claims.Dialect{AccessType: "JWT", InsecureNoAudience: true},
		},
	}
}

// OIDCProvider verifies the access tokens of node-oidc-provider with its feature
// resourceIndicators, whose getResourceServerInfo says accessTokenFormat "jwt".
// The audience is the resource that the client asked for (RFC 8707).
//
// Kinds: `typ`: that of access tokens is `at+jwt`; ID tokens have none, refresh tokens are opaque.
//
// Weakens: nothing. This is what every provider would be if it followed RFC 9068.
func OIDCProvider(issuer, resource string) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{resource},
		},
	}
}
