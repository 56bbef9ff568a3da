// Starts oauth2-mock-server on a free loopback port, as its page shows it. It
// reads commands from standard input, one a line, and answers each with a line;
// it ends when standard input does.
import { createInterface } from 'node:readline';
import { OAuth2Server } from 'oauth2-mock-server';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
await server.start(0, '127.0.0.1');

const commands = {
  // Keys are added and sign in turn; none is ever taken away.
  generate: () => server.issuer.keys.generate('RS256'),
};

console.log(server.issuer.url);
for await (const line of createInterface({ input: process.stdin })) {
  await commands[line]();
  console.log('done');
}
process.exit(0);
