/** A hosted plane that knows accounts, tokens and one project, strict about the contract: for the commands of admins. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import {
  type Account,
  createAccountSchema,
  createTokenSchema,
  type TokenEntry,
} from '../../contract/accounts-api.ts';
import type { RemoveProjectAnswer } from '../../contract/api.ts';

export type AdminPlane = {
  /** For the CLI's environment. */
  environment: Record<string, string>;
  /** Every request that changes something: `POST /v1/accounts`. */
  changes: string[];
  accounts: Map<string, (TokenEntry & { token: string })[]>;
};

const createdAt = '2026-01-01T00:00:00.000Z';
const adminToken = 'a'.repeat(32);
const project = {
  slug: 'shop',
  region: 'eu-central-1',
  origin: '/home/me/shop',
  url: 'http://shop.s3-website.eu-central-1.amazonaws.com/',
  address: 'http://shop.s3-website.eu-central-1.amazonaws.com/',
  live: { id: 'dpl_2', createdAt },
  createdAt,
};
const removed: RemoveProjectAnswer = {
  slug: project.slug,
  kept: 'the bucket "shop", empty, so that nobody can take its name over',
};

/** Opens it with `accounts`, each without tokens. */
export async function openAdminPlane(...accounts: string[]): Promise<AdminPlane> {
  const state: AdminPlane['accounts'] = new Map(accounts.map((name) => [name, []]));
  const changes: string[] = [];
  const notFound = (what: string) => [404, { error: { code: 'NOT_FOUND', message: what } }] as const;

  function answer(method: string, path: string, body: unknown): readonly [status: number, body: unknown] {
    const [, , kind, name, more, id] = path.split('/');
    const wanted = `${method} ${kind}${more === undefined ? '' : ` ${more}`}`;
    const tokens = state.get(name ?? '');
    if (wanted === 'GET accounts')
      return [200, { accounts: [...state.keys()].map((one): Account => ({ name: one, createdAt })) }];
    if (wanted === 'POST accounts') {
      const account = createAccountSchema.parse(body);
      state.set(account.name, state.get(account.name) ?? []);
      return [200, { account: { ...account, createdAt } }];
    }
    if (kind === 'accounts' && !tokens) return notFound(`there is no account "${name}"`);
    if (wanted === 'POST accounts tokens' && tokens) {
      const asked = createTokenSchema.parse(body);
      const expiresAt = asked.expiresInDays === undefined ? null : '2026-03-01T12:00:00.000Z';
      const entry = {
        id: `tok_${tokens.length + 1}`,
        name: asked.name,
        scope: asked.scope ?? 'deploy',
        project: asked.project ?? null,
        createdAt,
        expiresAt,
        lastUsedAt: null,
      };
      tokens.push({ ...entry, token: `sph_${name}_${tokens.length + 1}` });
      return [200, { ...entry, account: name, token: tokens.at(-1)?.token }];
    }
    if (wanted === 'GET accounts tokens' && tokens)
      return [200, { tokens: tokens.map(({ token, ...entry }) => entry) }];
    if (wanted === 'DELETE accounts tokens' && tokens) {
      const index = tokens.findIndex((token) => token.id === id);
      if (index < 0) return notFound(`there is no token "${id}"`);
      tokens.splice(index, 1);
      return [200, { id }];
    }
    if (kind === 'projects' && name !== project.slug) return notFound(`there is no project "${name}"`);
    if (method === 'GET' && kind === 'projects') return [200, project];
    if (method === 'DELETE' && kind === 'projects') return [200, removed];
    if (method === 'GET' && kind === 'deployments')
      return [200, { deployments: [{ id: 'dpl_2' }, { id: 'dpl_1' }] }];
    return notFound(`nothing at ${method} ${path}`);
  }

  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { pathname } = new URL(request.url ?? '/', 'http://plane');
    const { method = 'GET' } = request;
    if (method !== 'GET') changes.push(`${method} ${pathname}`);
    const [status, body] =
      request.headers.authorization === `Bearer ${adminToken}`
        ? answer(method, pathname, text === '' ? undefined : JSON.parse(text))
        : [401, { error: { code: 'NOT_SIGNED_IN', message: 'the token is missing or wrong' } }];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    environment: { SPHERE_URL: `http://127.0.0.1:${port}`, SPHERE_TOKEN: adminToken },
    changes,
    accounts: state,
  };
}
