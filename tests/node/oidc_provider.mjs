// A provider of OpenID Connect that is not ours (oidc-provider), with its own pages to sign in. Arguments: the folder in which
// it is installed, and where people are sent back to. Prints its port as JSON, and ends when its standard input does.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [folder, redirectUri] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(createRequire(`${folder}/`).resolve('oidc-provider')));
const key = (alg, kind, options) => {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig' };
};
const rsa = { modulusLength: 2048 };
const byRsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const keys = [
  ...byRsa.map((alg) => key(alg, 'rsa', rsa)), key('ES256', 'ec', { namedCurve: 'P-256' }),
  key('ES384', 'ec', { namedCurve: 'P-384' }), key('EdDSA', 'ed25519', {}),
];
const client = (alg, more) => ({
  client_id: `till-${alg}`, client_secret: 'a+secret/with:signs%', redirect_uris: [redirectUri],
  id_token_signed_response_alg: alg, ...more,
});
const configuration = {
  jwks: { keys },
  clients: [
    ...byRsa.map((alg) => client(alg)), client('ES256'), client('ES384'),
    client('EdDSA', { token_endpoint_auth_method: 'none', client_secret: undefined }),
  ],
  claims: { email: ['email', 'email_verified'], profile: ['name'] },
  enabledJWA: { idTokenSigningAlgValues: [...byRsa, 'ES256', 'ES384', 'EdDSA'] },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: `Name of ${sub}`, email: `${sub}@example.org`, email_verified: !sub.startsWith('un') }),
  }),
  pkce: { required: () => true },
  cookies: { keys: ['only for tests'] },
};
let handle;
const server = createServer((request, answer) => handle(request, answer));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  handle = new Provider(`http://127.0.0.1:${port}`, configuration).callback();
  console.log(JSON.stringify({ port }));
  // Nobody reads what it says later.
  console.info = console.warn = () => {};
});
process.stdin.on('end', () => process.exit(0)).resume();
