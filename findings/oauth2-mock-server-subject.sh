#!/usr/bin/env bash
# npm oauth2-mock-server 8.2.3
#
# Behaviour: In the password grant, the access token's `sub` is the name that was sent, and the ID
# token's `sub`, in the same answer, is "johndoe" for everybody. After a refresh the access token's
# `sub` is "johndoe" too. The page of the package does not tell this.
#
# Why it matters: OpenID Connect Core 1.0 §12.2 has a refresh keep the `sub`. A test that logs in
# as alice and refreshes goes on as another person, with no error anywhere: a limit for each person,
# a session or a list of sign-ins that is keyed by `sub` takes alice for two people. And two people
# who refresh become one. Code that compares the `sub` of the two tokens of one answer refuses
# every login but that of johndoe.
#
# Output seen (Node.js 20.20.2):
#   login of alice: access token for alice, ID token for johndoe
#   refresh of alice: access token for johndoe, ID token for johndoe
#   login of bob: access token for bob, ID token for johndoe
#   refresh of bob: access token for johndoe, ID token for johndoe
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
import { OAuth2Server } from 'oauth2-mock-server';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
await server.start(0, '127.0.0.1');
const metadata = await (await fetch(`${server.issuer.url}/.well-known/openid-configuration`)).json();

const said = [];
const sub = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sub;

async function token(what, form) {
  const answer = await fetch(metadata.token_endpoint, {
    method: 'POST', body: new URLSearchParams({ client_id: 'one', scope: 'openid', ...form }),
  });
  if (answer.status !== 200) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
  const got = await answer.json();
  said.push(`${what}: access token for ${sub(got.access_token)}, ID token for ${sub(got.id_token)}`);
  console.log(said.at(-1));
  return got;
}

const stated = [];
for (const username of ['alice', 'bob']) {
  const { refresh_token } = await token(`login of ${username}`, { grant_type: 'password', username, password: 'a password' });
  await token(`refresh of ${username}`, { grant_type: 'refresh_token', refresh_token });
  stated.push(`login of ${username}: access token for ${username}, ID token for johndoe`,
    `refresh of ${username}: access token for johndoe, ID token for johndoe`);
}
await server.stop();

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
