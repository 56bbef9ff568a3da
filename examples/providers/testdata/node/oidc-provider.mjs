// Starts oidc-provider on a free loopback port, with its own in-memory store and
// its own login pages. It reads commands from standard input, one a line, and
// answers each with a line; it ends when standard input does.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: randomUUID() };
}

const client = (id) => ({
  client_id: id,
  client_secret: `secret of ${id}`,
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
});

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

// serve begins to serve with these keys. The first one signs, all are published.
// A provider reads its keys once, so that its operators restart their processes;
// another Provider on the same port is that.
function serve(keys) {
  const provider = new Provider(issuer, {
    clients: [client('one'), client('two')],
    jwks: { keys },
    cookies: { keys: ['for a test'] },
    scopes: ['openid', 'offline_access'],
    ttl: { Session: 3600, Interaction: 600, Grant: 7200, AccessToken: 600, IdToken: 600, RefreshToken: 7200 },
    features: {
      resourceIndicators: {
        enabled: true,
        // What makes access tokens JWTs: the resource asks for it.
        getResourceServerInfo: async (ctx, resource) => ({
          audience: resource,
          scope: 'read write',
          accessTokenFormat: 'jwt',
        }),
        useGrantedResource: async () => true,
      },
    },
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  server.removeAllListeners('request');
  server.on('request', provider.callback());
}

let keys = [newKey()];
const commands = {
  // The three steps that its documentation names for a rotation.
  publish() { keys = [...keys, newKey()]; },
  sign() { keys = [keys.at(-1), ...keys.slice(0, -1)]; },
  withdraw() { keys = keys.slice(0, 1); },
};

serve(keys);
console.log(issuer);
for await (const line of createInterface({ input: process.stdin })) {
  commands[line]();
  serve(keys);
  console.log('done');
}
process.exit(0);
