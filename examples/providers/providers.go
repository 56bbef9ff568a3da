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
	"context"
	"strings"
	"time"

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

// Auth0 verifies access tokens of Auth0 for an API, by the API's identifier. It
// fits both profiles, Auth0's own and RFC 9068, so that an API can change from one
// to the other. Auth0's issuer ends with a slash.
//
// Kinds: the audience, as an API's identifier is never a client's id, and the marks of ID tokens (`nonce`); refresh tokens are opaque. With the RFC 9068 profile alone, `typ`: drop AccessType and MoreAccessTypes then.
//
// Weakens: a `typ` that ID tokens have too. An ID token without `nonce` for a client with the name of the API would pass; there is no such client.
func Auth0(issuer, audience string) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{audience},
			Dialect:  claims.Dialect{AccessType: "JWT", MoreAccessTypes: []string{"at+jwt"}},
		},
	}
}

// Cognito verifies access tokens of an Amazon Cognito user pool for one of its
// clients. They name no audience, but the client.
//
// Kinds: `token_use`: access tokens say `access`, ID tokens `id`; refresh tokens are encrypted.
//
// Weakens: no `typ` and no audience: a token that the client got for another API opens this one, unless you ask for a scope of your own (`guard.Scope`). What stands in for the audience is `client_id`.
func Cognito(region, pool, clientID string) Provider {
	issuer := "https://cognito-idp." + region + ".amazonaws.com/" + pool
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer: issuer,
			Dialect: claims.Dialect{
				AbsentType:         true,
				UseMember:          "token_use",
				AccessHas:          map[string][]string{"client_id": {clientID}},
				InsecureNoAudience: true,
			},
		},
	}
}

// Entra verifies access tokens of version 2.0 that Microsoft Entra ID gives for an
// API, by the tenant's id and the API's application id. The API's registration
// must say accessTokenAcceptedVersion 2. People have scopes, applications roles.
//
// Kinds: `azp`, which access tokens have and ID tokens do not; refresh tokens are opaque.
//
// Weakens: a `typ` that ID tokens have too.
func Entra(tenant, applicationID string) Provider {
	issuer := "https://login.microsoftonline.com/" + tenant + "/v2.0"
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{applicationID},
			Dialect: claims.Dialect{
				AccessType:  "JWT",
				ScopeMember: "scp",
				AccessHas:   map[string][]string{"azp": nil},
			},
		},
	}
}

// EntraTenants verifies the tokens of Entra for an API that many tenants use, those
// that allow knows by their ids. A caller is then Issuer and Subject together.
//
// Kinds: as Entra.
//
// Weakens: a `typ` that ID tokens have too. Nothing but `allow` stands between your API and a tenant that anybody can make in a minute.
func EntraTenants(allow func(tenant string) bool, applicationID string) Provider {
	return Provider{
		Keys: jwks.Config{URL: "https://login.microsoftonline.com/common/discovery/v2.0/keys"},
		Tokens: claims.Config{
			AllowIssuer: tenants(allow),
			Audience:    []string{applicationID},
			Dialect: claims.Dialect{
				AccessType:  "JWT",
				ScopeMember: "scp",
				AccessHas:   map[string][]string{"azp": nil},
			},
		},
	}
}

// tenants allows the issuers whose tenant is allowed.
func tenants(allow func(tenant string) bool) func(context.Context, string) (bool, error) {
	return func(_ context.Context, issuer string) (bool, error) {
		tenant, begun := strings.CutPrefix(issuer, "https://login.microsoftonline.com/")
		tenant, ended := strings.CutSuffix(tenant, "/v2.0")
		return begun && ended && allow(tenant), nil
	}
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
			Dialect:  claims.Dialect{AccessType: "JWT", InsecureAnyKind: true},
		},
	}
}

// GitHubActions verifies the tokens of jobs of GitHub Actions, for an audience that
// the job asks for, and one owner, by the owner's id: a name can pass to others.
//
// Kinds: there is only one kind, and the audience says for whom.
//
// Weakens: a `typ` that says nothing. **Any job of anybody on GitHub gets a token for your audience**: without `repository_owner_id`, or something as narrow, it would open the API. Ask for more with `guard.Require`: forks' pull requests are jobs of yours too.
func GitHubActions(audience, ownerID string) Provider {
	const issuer = "https://token.actions.githubusercontent.com"
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{audience},
			Dialect: claims.Dialect{
				AccessType: "JWT",
				AccessHas:  map[string][]string{"repository_owner_id": {ownerID}},
			},
		},
	}
}

// Google verifies identity tokens of Google's service accounts, which call services
// of Cloud Run and others with them. The audience is the called service's. Google's
// access tokens are opaque.
//
// Kinds: a person's ID token has the marks of one (`at_hash`, `nonce`), and it is for a client's id.
//
// Weakens: a `typ` that says nothing. **Any service account of anybody gets a token for your audience**: ask for `email` or `sub` with `guard.Require`.
func Google(audience string) Provider {
	const issuer = "https://accounts.google.com"
	return Provider{
		Keys: jwks.Config{Issuer: issuer, Origins: []string{"https://www.googleapis.com"}},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{audience},
			Dialect:  claims.Dialect{AccessType: "JWT"},
		},
	}
}

// Keycloak verifies access tokens of a Keycloak realm. The audience is what an
// audience mapper of the client scope adds; without one Keycloak writes "account",
// which is its own API. Clients may be told to use at+jwt; both are read.
//
// Kinds: the member `typ` of the payload: access tokens say `Bearer`, ID tokens `ID`, refresh tokens `Refresh` or `Offline`.
//
// Weakens: a `typ` in the header that ID tokens have too.
func Keycloak(issuer, audience string) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{audience},
			Dialect: claims.Dialect{
				AccessType:      "JWT",
				MoreAccessTypes: []string{"at+jwt"},
				UseMember:       "typ",
				AccessWords:     []string{"Bearer"},
			},
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

// LemonLDAP verifies access tokens of LemonLDAP::NG for a client whose option "use
// JWT format for access token" is on. The audience is the client's id, and what the
// option for more audiences adds. The issuer is the portal's address, slash and
// all.
//
// Kinds: the marks of ID tokens (`at_hash`, `nonce`); refresh tokens are opaque.
//
// Weakens: a `typ` that ID tokens have too.
func LemonLDAP(issuer, clientID string) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{clientID},
			Dialect:  claims.Dialect{AccessType: "JWT"},
		},
	}
}

// MockOIDC verifies access tokens of oauth2-proxy/mockoidc, which is for tests. They
// live for accessTTL, 10 minutes if nobody changed it.
//
// Kinds: access and refresh tokens differ in nothing but their lifetime, 10 minutes and an hour, so MaxLife is the only thing that tells them apart. ID tokens have a `nonce`, if the client sent one.
//
// Weakens: a `typ` that all have. **Without `nonce`, email and profile an ID token is the access token, byte for byte**: clients must send a `nonce`. If RefreshTTL is not longer than AccessTTL, refresh tokens open the API.
func MockOIDC(issuer, clientID string, accessTTL time.Duration) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{clientID},
			Dialect:  claims.Dialect{AccessType: "JWT"},
			MaxLife:  accessTTL,
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

// OAuth2MockServerAPI verifies the tokens that oauth2-mock-server gives for client
// credentials, when the client asks for a scope and, by the parameter aud, for an
// audience. They name no subject.
//
// Kinds: `scope`, which ID tokens do not have; refresh tokens are opaque.
//
// Weakens: a `typ` that ID tokens have too, and nobody is named. Any client gets any audience. For tests only, as the server is.
func OAuth2MockServerAPI(issuer, audience string) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{audience},
			Dialect: claims.Dialect{
				AccessType:    "JWT",
				AccessHas:     map[string][]string{"scope": nil},
				AbsentSubject: true,
			},
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

// Okta verifies access tokens of one of Okta's custom authorization servers. Those of
// the org's own server are for Okta alone.
//
// Kinds: the marks of ID tokens (`at_hash`, `nonce`, and `auth_time` without a scope); refresh tokens are opaque.
//
// Weakens: no `typ` is asked for.
func Okta(issuer, audience string) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{audience},
			Dialect:  claims.Dialect{AbsentType: true, ScopeMember: "scp", ScopeList: true},
		},
	}
}

// SPIFFE verifies JWT-SVIDs, as SPIRE gives them to workloads of a trust domain. The
// bundle is at the trust domain's bundle endpoint. The subject is the SPIFFE ID; compare
// it, or its trust domain, with guard.Require.
//
// Kinds: there is only one kind, and the audience says for whom.
//
// Weakens: a `typ` that says nothing, or none, and no `iss`: nothing but the bundle's keys ties a token to its trust domain. One trust domain needs one key set.
func SPIFFE(bundle, audience string) Provider {
	return Provider{
		Keys: jwks.Config{URL: bundle, Uses: []string{"jwt-svid"}},
		Tokens: claims.Config{
			Audience: []string{audience},
			Dialect:  claims.Dialect{AccessType: "JWT", AbsentType: true, InsecureNoIssuer: true},
		},
	}
}

// Zitadel verifies access tokens of providers made with zitadel/oidc, for clients
// whose AccessTokenType is AccessTokenTypeJWT. The audience is what the provider's
// storage says: in its example the client's id.
//
// Kinds: the marks of ID tokens (`at_hash`, `c_hash`, `nonce`); refresh tokens are opaque.
//
// Weakens: a `typ` that ID tokens have too.
func Zitadel(issuer, audience string) Provider {
	return Provider{
		Keys: jwks.Config{Issuer: issuer},
		Tokens: claims.Config{
			Issuer:   issuer,
			Audience: []string{audience},
			Dialect:  claims.Dialect{AccessType: "JWT"},
		},
	}
}
