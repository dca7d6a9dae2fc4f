/** An issuer of ID tokens on this machine: its keys and discovery document over HTTP, and tokens as a test wants them. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

type Key = Awaited<ReturnType<typeof generateKeyPair>> & { kid: string };

export type TokenIssuer = Awaited<ReturnType<typeof startTokenIssuer>>;

/** Starts it, with one key. */
export async function startTokenIssuer() {
  let keys: JWK[] = [];
  let current: Key;
  let asked = 0;
  let status = 200;
  let drawn = 0;
  const rotate = async ({ keep }: { keep: boolean }) => {
    const pair = await generateKeyPair('RS256', { extractable: true });
    current = { ...pair, kid: `key-${keys.length + 1}-${Date.now()}` };
    const published = { ...(await exportJWK(pair.publicKey)), kid: current.kid, alg: 'RS256', use: 'sig' };
    keys = keep ? [...keys, published] : [published];
  };
  await rotate({ keep: false });
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }));
    } else if (request.url === '/keys') {
      asked += 1;
      response.writeHead(status).end(JSON.stringify({ keys }));
    } else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    rotate,
    /** How often the keys have been asked for. */
    asked: () => asked,
    answerKeysWith(next: number) {
      status = next;
    },
    publicKey: () => keys[0] as JWK,
    /** A token with `claims` above the usual ones; undefined takes one away. */
    async sign(
      claims: JWTPayload & Record<string, unknown>,
      { header = {}, key = current.privateKey }: { header?: object; key?: CryptoKey | Uint8Array } = {},
    ) {
      const now = Math.floor(Date.now() / 1000);
      const all = { iss: url, iat: now, nbf: now - 5, exp: now + 300, jti: `id-${++drawn}`, ...claims };
      const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
      return new SignJWT(kept)
        .setProtectedHeader({ alg: 'RS256', kid: current.kid, typ: 'JWT', ...header })
        .sign(key);
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What GitHub says of a push to `main` of `acme/web`. */
export const githubClaims = {
  sub: 'repo:acme/web:ref:refs/heads/main',
  repository: 'acme/web',
  repository_id: '1001',
  repository_owner: 'acme',
  repository_owner_id: '77',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  sha: '0'.repeat(40),
  event_name: 'push',
  workflow: 'deploy',
  run_id: '1',
} as const;

/** What GitLab says of a push to `main` of `acme/group/web`. */
export const gitlabClaims = {
  sub: 'project_path:acme/group/web:ref_type:branch:ref:main',
  project_path: 'acme/group/web',
  project_id: '2002',
  ref: 'main',
  ref_type: 'branch',
  ref_path: 'refs/heads/main',
  pipeline_source: 'push',
} as const;
