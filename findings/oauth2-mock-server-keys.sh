#!/usr/bin/env bash
# npm oauth2-mock-server 8.2.3
#
# Behaviour: The server signs each token with the next key of its store. A login makes two
# tokens, first the access token and then the ID token. So with two keys, every login's access
# token is signed by the first key, and its ID token by the second, for all logins. A refresh
# makes two tokens too, and changes nothing. The page of the package does not tell this; a
# comment in its type declarations says "round-robin" and no more.
#
# Why it matters: Somebody who tests a rotation adds a second key, logs in again, and sees that
# the API still accepts. But the API reads access tokens, and none of them ever has the new key:
# the test passes although nothing was tested. One token of the client credentials grant, which
# comes without an ID token, turns the order over: from then on all access tokens have the second
# key. So whether the test meets the new key hangs on what other tests asked for before.
#
# Output seen (Node.js 20.20.2):
#   login 1: access token by the first key, ID token by the second
#   login 2: access token by the first key, ID token by the second
#   login 3: access token by the first key, ID token by the second
#   refresh: access token by the first key, ID token by the second
#   client credentials: access token by the first key
#   login 4: access token by the second key, ID token by the first
#   login 5: access token by the second key, ID token by the first
#   as stated
#
# Exit status: 0 as stated, 1 changed, 2 the run itself failed. Needs Node.js 20.19 or newer, npm.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private": true, "dependencies": {"oauth2-mock-server": "8.2.3"}}' >package.json
npm install --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || exit 2

cat >run.mjs <<'EOF'
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { OAuth2Server } from 'oauth2-mock-server';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256', { kid: 'first' });
await server.issuer.keys.generate('RS256', { kid: 'second' });
await server.start(0, '127.0.0.1');
const metadata = await (await fetch(`${server.issuer.url}/.well-known/openid-configuration`)).json();

const said = [];

// signer names the published key that verifies the token.
async function signer(token) {
  const { keys } = await (await fetch(metadata.jwks_uri)).json();
  const [header, payload, signature] = token.split('.');
  return keys.find((key) => verify('sha256', Buffer.from(`${header}.${payload}`),
    createPublicKey({ key, format: 'jwk' }), Buffer.from(signature, 'base64url'))).kid;
}

async function token(what, form) {
  const answer = await fetch(metadata.token_endpoint, { method: 'POST', body: new URLSearchParams(form) });
  if (answer.status !== 200) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
  const got = await answer.json();
  let line = `${what}: access token by the ${await signer(got.access_token)} key`;
  if (got.id_token) line += `, ID token by the ${await signer(got.id_token)}`;
  console.log(line);
  said.push(line);
  return got;
}

// login is the authorization code flow with PKCE.
async function login(what) {
  const verifier = randomBytes(32).toString('base64url');
  const ask = new URLSearchParams({
    client_id: 'one', response_type: 'code', redirect_uri: 'http://127.0.0.1/callback', scope: 'openid',
    state: 's', nonce: 'n', code_challenge_method: 'S256',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
  });
  const sent = await fetch(`${metadata.authorization_endpoint}?${ask}`, { redirect: 'manual' });
  const code = new URL(sent.headers.get('location')).searchParams.get('code');
  return token(what, {
    grant_type: 'authorization_code', client_id: 'one', code, code_verifier: verifier,
    redirect_uri: 'http://127.0.0.1/callback',
  });
}

await login('login 1');
await login('login 2');
const { refresh_token } = await login('login 3');
await token('refresh', { grant_type: 'refresh_token', client_id: 'one', refresh_token });
await token('client credentials', { grant_type: 'client_credentials', client_id: 'one', scope: 'read' });
await login('login 4');
await login('login 5');
await server.stop();

const before = 'access token by the first key, ID token by the second';
const after = 'access token by the second key, ID token by the first';
const stated = [
  `login 1: ${before}`, `login 2: ${before}`, `login 3: ${before}`, `refresh: ${before}`,
  'client credentials: access token by the first key', `login 4: ${after}`, `login 5: ${after}`,
];
const same = JSON.stringify(said) === JSON.stringify(stated);
console.log(same ? 'as stated' : 'CHANGED');
process.exit(same ? 0 : 1);
EOF
# Node ends with 1 at an uncaught error too, so the last line decides.
status=0
node run.mjs | tee said || status=$?
case $(tail -n 1 said) in
'as stated') exit "$status" ;;
CHANGED) exit 1 ;;
esac
exit 2
