/** Jobs of GitHub and GitLab deploy without a token that is kept: what their ID tokens open, and what none opens. */
import { createSecretKey, randomUUID } from 'node:crypto';
import { generateKeyPair, type JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CreateTrust, ExchangeAnswer, Trust, TrustList } from '../../contract/accounts-api.ts';
import type { Database } from '../../server/database/database.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { forgetJobTokens } from '../../server/tokens.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { type Replicas, startReplicas } from './replicas.ts';
import { githubClaims, gitlabClaims, startTokenIssuer, type TokenIssuer } from './token-issuer.ts';

let postgres: Postgres;
let database: Database;
let github: TokenIssuer;
let gitlab: TokenIssuer;
let plane: Replicas;
let team: string;
let others: string;
let aud: string;

beforeAll(async () => {
  postgres = await startPostgres();
  const url = await postgres.createDatabase();
  database = await openPostgresDatabase({ url, connections: 10, report: () => {} });
  [github, gitlab] = [await startTokenIssuer(), await startTokenIssuer()];
  plane = await startReplicas(database, {
    publicUrl: 'https://sphere.example.com',
    issuers: [
      { provider: 'github', url: github.url, keys: null },
      { provider: 'gitlab', url: gitlab.url, keys: null },
    ],
  });
  aud = 'https://sphere.example.com';
  [team, others] = [await plane.account('team'), await plane.account('others')];
}, 60_000);
afterAll(async () => {
  await plane.stop();
  await database.close();
  await Promise.all([github.stop(), gitlab.stop(), postgres.stop()]);
}, 60_000);

const trust = async (change: Partial<CreateTrust> & { project: string }, by = team, account = 'team') => {
  const body = { provider: 'github', repository: 'Acme/Web', ...change };
  const answer = await plane.call<Trust>(0, by, 'POST', `/v1/accounts/${account}/trusts`, body);
  return answer.body;
};
const exchange = (idToken: string, project = 'shop', replica = 0) =>
  plane.call<ExchangeAnswer>(replica, '', 'POST', '/v1/oidc/token', { idToken, project });
const pushed = (change: JWTPayload & Record<string, unknown> = {}) =>
  github.sign({ aud, ...githubClaims, ...change });

describe('a job', () => {
  test('gets a token that deploys to its project, for 15 minutes, and does nothing else', async () => {
    await trust({ project: 'shop' });
    const { status, body } = await exchange(await pushed());
    expect(status).toBe(201);
    expect(body).toMatchObject({ account: 'team', project: 'shop', token: expect.stringMatching(/^sph_/) });
    const minutes = (Date.parse(body.expiresAt) - Date.now()) / 60_000;
    expect(Math.round(minutes)).toBe(15);

    const { deployment } = await plane.create(1, body.token, { project: 'shop', origin: 'shop' });
    expect(deployment.project).toBe('shop');
    const status403 = await plane.call<unknown>(1, body.token, 'DELETE', '/v1/projects/shop');
    expect(status403.status).toBe(403);
    const elsewhere = await plane.create(1, body.token, { project: 'blog', origin: 'blog' });
    expect(elsewhere).toMatchObject({ error: { code: 'NOT_FOUND' } });
    const more = await plane.call<unknown>(1, body.token, 'POST', '/v1/accounts/team/tokens', { name: 'x' });
    expect(more.status).toBe(403);

    const { body: log } = await plane.call<{ entries: object[] }>(0, team, 'GET', '/v1/audit?project=shop');
    expect(log.entries.slice(0, 2)).toMatchObject([
      { action: 'createDeployment', actor: { kind: 'job', id: githubClaims.sub }, object: deployment.id },
      { action: 'exchangeIdToken', actor: { kind: 'job', id: githubClaims.sub } },
    ]);
  });

  test('may be one of GitLab', async () => {
    await trust({ provider: 'gitlab', repository: 'acme/group/web', project: 'lab' });
    expect((await exchange(await gitlab.sign({ aud, ...gitlabClaims }), 'lab')).body).toMatchObject({
      project: 'lab',
    });
  });

  test('keeps its token while what it deploys has not ended, and no longer', async () => {
    await trust({ project: 'long-build', ref: 'long' });
    const { body } = await exchange(await pushed({ ref: 'refs/heads/long' }), 'long-build');
    const { deployment } = await plane.create(0, body.token, { project: 'long-build', origin: 'long' });
    await database.query
      .updateTable('tokens')
      .set({ expires_at: new Date(Date.now() - 1) })
      .where('project', '=', 'long-build')
      .execute();
    const look = async () =>
      (await plane.call<unknown>(1, body.token, 'GET', `/v1/deployments/${deployment.id}`)).status;
    expect(await look()).toBe(200);
    await plane.call<unknown>(0, body.token, 'POST', `/v1/deployments/${deployment.id}/cancel`);
    // It can still ask how that went.
    expect(await look()).toBe(200);
    await database.query
      .updateTable('deployments')
      .set({ finished_at: new Date(Date.now() - 10 * 60_000) })
      .where('id', '=', deployment.id)
      .execute();
    expect(await look()).toBe(401);
  });

  test('names the project that it means: any account can trust any repository', async () => {
    await trust({ repository: 'acme/mono', project: 'mono-a' });
    await trust({ repository: 'acme/mono', project: 'mono-b' });
    await trust({ repository: 'acme/mono', project: 'mono-trap' }, others, 'others');
    const mono = () => pushed({ repository: 'acme/mono' });
    for (const project of ['mono-a', 'mono-b'])
      expect((await exchange(await mono(), project)).body).toMatchObject({ project, account: 'team' });
    const unnamed = await plane.call(0, '', 'POST', '/v1/oidc/token', { idToken: await mono() });
    expect(unnamed).toMatchObject({ status: 400, body: { error: { code: 'REQUEST_INVALID' } } });
  });
});

describe('no token is given for', () => {
  const refused = async (idToken: string, code = 'NOT_SIGNED_IN', project?: string) => {
    const { body } = await exchange(idToken, project);
    expect(body).toMatchObject({ error: { code } });
    return (body as { error?: { message: string } }).error?.message ?? '';
  };

  beforeAll(async () => {
    await trust({ repository: 'acme/strict', ref: 'main', environment: 'production', project: 'strict' });
  });
  const strict = (change: JWTPayload & Record<string, unknown> = {}) =>
    pushed({ repository: 'acme/strict', environment: 'production', ...change });

  test('another key, no signature, or a signature with the public key as a secret', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    expect(await refused(await github.sign({ aud, ...githubClaims }, { key: privateKey }))).toMatch(
      /signature/,
    );

    const [, payload] = (await pushed()).split('.');
    const header = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const alg of ['none', 'None', 'NONE', '']) await refused(`${header({ alg })}.${payload}.`);

    const secret = createSecretKey(Buffer.from(JSON.stringify(github.publicKey())));
    const confused = { header: { alg: 'HS256' }, key: new Uint8Array(secret.export()) };
    expect(await refused(await github.sign({ aud, ...githubClaims }, confused))).toMatch(/not signed as/);
  });

  test('a payload that was changed', async () => {
    const [head, payload, signature] = (await pushed()).split('.');
    const claims = JSON.parse(Buffer.from(payload as string, 'base64url').toString());
    const changed = Buffer.from(JSON.stringify({ ...claims, repository: 'acme/strict' })).toString(
      'base64url',
    );
    await refused(`${head}.${changed}.${signature}`);
  });

  test('a key that the token brings along', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const header = { jku: `${gitlab.url}/keys`, jwk: github.publicKey(), kid: 'mine' };
    await refused(await github.sign({ aud, ...githubClaims }, { header, key: privateKey }));
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['one that has expired', { exp: Math.floor(Date.now() / 1000) - 60 }, /expired/],
    ['one that is not valid yet', { nbf: Math.floor(Date.now() / 1000) + 600 }, /"nbf"/],
    ['one without an end', { exp: undefined }, /"exp"/],
    ['one without an id', { jti: undefined }, /"jti"/],
    ['another audience', { aud: 'https://other.example.com' }, /not made for/],
    ['no audience', { aud: undefined }, /not made for/],
    ['several audiences', { aud: ['https://sphere.example.com', 'https://other.example.com'] }, /several/],
    ['an issuer that nobody knows', { iss: 'https://evil.example' }, /no issuer "https:\/\/evil.example"/],
    ['GitHub itself, without its key', { iss: 'https://token.actions.githubusercontent.com' }, /no issuer/],
    ['a claim that is no text', { repository: ['acme/web'] }, /"repository"/],
    ['a line break in a claim', { sub: 'repo:acme/web\nrepo:acme/strict' }, /"sub"/],
  ])('%s', async (_, change, says) => {
    expect(await refused(await pushed(change))).toMatch(says);
  });

  test.each(['', 'x', 'a.b.c', '{}', `${'a'.repeat(5000)}.b.c`])('%j', async (text) => {
    const { status } = await exchange(text);
    expect([400, 401]).toContain(status);
  });

  test.each<[string, Record<string, unknown>]>([
    ['another repository', { repository: 'evil/strict' }],
    ['another ref', { ref: 'refs/heads/feature' }],
    ['a tag of the name of the branch', { ref: 'refs/tags/main' }],
    ['another environment', { environment: 'staging' }],
    ['no environment', { environment: undefined }],
  ])('a job of %s', async (_, change) => {
    await refused(await strict(change), 'NOT_ALLOWED');
  });

  test.each<[string, Record<string, unknown>]>([
    ['pull_request', { event_name: 'pull_request', ref: 'refs/pull/7/merge' }],
    ['pull_request_target, which runs on the base branch', { event_name: 'pull_request_target' }],
    ['pull_request_review', { event_name: 'pull_request_review', ref: 'refs/pull/7/merge' }],
    ['a ref of a pull request', { ref: 'refs/pull/7/head' }],
    ['no event', { event_name: undefined }],
  ])('%s', async (_, change) => {
    const { status } = await exchange(await strict(change));
    expect([401, 403]).toContain(status);
  });

  test.each(['merge_request_event', 'external_pull_request_event'])('%s', async (source) => {
    const token = await gitlab.sign({ aud, ...gitlabClaims, pipeline_source: source });
    await refused(token, 'NOT_ALLOWED');
  });

  test('a repository that was made anew under the name of the old one, or renamed', async () => {
    await trust({ repository: 'acme/first', project: 'first-use' });
    const first = { repository: 'acme/first', repository_id: '555' };
    expect((await exchange(await pushed(first), 'first-use')).status).toBe(201);
    await refused(await pushed({ ...first, repository_id: '556' }), 'NOT_ALLOWED', 'first-use');
    await refused(await pushed({ ...first, repository: 'acme/renamed' }), 'NOT_ALLOWED', 'first-use');
    expect((await exchange(await pushed(first), 'first-use')).status).toBe(201);
    const { body } = await plane.call<TrustList>(0, team, 'GET', '/v1/accounts/team/trusts');
    const kept = body.trusts.find(({ project }) => project === 'first-use');
    expect(kept).toMatchObject({ repositoryId: '555', lastUsedAt: expect.any(String) });
  });

  test('a second use of the same token, on whichever replica, and at the same time', async () => {
    await trust({ repository: 'acme/once', project: 'once' });
    const idToken = await pushed({ repository: 'acme/once' });
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, replica) => exchange(idToken, 'once', replica)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(401)]);
    expect(await refused(idToken, 'NOT_SIGNED_IN', 'once')).toMatch(/used already/);
  });

  test('a repository that another account trusts for a project that is not its own', async () => {
    await trust({ repository: 'acme/victim', project: 'victim-site' });
    const { body } = await exchange(await pushed({ repository: 'acme/victim' }), 'victim-site');
    await plane.create(0, body.token, { project: 'victim-site', origin: 'victim' });
    // An account that would like to get what acme/victim deploys.
    expect(
      await trust({ repository: 'acme/victim', project: 'victim-site' }, others, 'others'),
    ).toMatchObject({
      error: { code: 'SLUG_IN_USE' },
    });
    await trust({ repository: 'acme/victim', project: 'trap' }, others, 'others');
    const again = await exchange(await pushed({ repository: 'acme/victim' }), 'victim-site');
    expect(again.body).toMatchObject({ account: 'team' });
    await refused(await pushed({ repository: 'acme/victim' }), 'NOT_ALLOWED');
  });

  test('two accounts that claim a slug which is nobody’s', async () => {
    const both = await Promise.all([
      trust({ repository: 'acme/race', project: 'race' }),
      trust({ repository: 'acme/race', project: 'race' }, others, 'others'),
    ]);
    const [first] = both
      .map((made, index) => ('error' in made ? undefined : ['team', 'others'][index]))
      .filter(Boolean);
    expect(both.filter((made) => 'error' in made)).toMatchObject([{ error: { code: 'SLUG_IN_USE' } }]);
    // Whose it is now is the first one's, whatever the other one would like to get.
    const { body } = await exchange(await pushed({ repository: 'acme/race' }), 'race');
    expect(body).toMatchObject({ account: first });
  });
});

test('a trust that is removed ends the tokens of its jobs', async () => {
  const { id } = await trust({ repository: 'acme/gone', project: 'gone' });
  const { body } = await exchange(await pushed({ repository: 'acme/gone' }), 'gone');
  expect((await plane.call<unknown>(1, body.token, 'GET', '/v1/projects')).status).toBe(200);
  await plane.call<unknown>(0, team, 'DELETE', `/v1/accounts/team/trusts/${id}`);
  expect((await plane.call<unknown>(1, body.token, 'GET', '/v1/projects')).status).toBe(401);
  const { body: refused } = await exchange(await pushed({ repository: 'acme/gone' }), 'gone');
  expect(refused).toMatchObject({ error: { code: 'NOT_ALLOWED' } });
});

test('keys are kept, asked for anew when they were rotated, and not for every made-up token', async () => {
  await trust({ provider: 'gitlab', repository: 'acme/keys', project: 'keys' });
  const lab = () => gitlab.sign({ aud, ...gitlabClaims, project_path: 'acme/keys' });
  await exchange(await lab(), 'keys');
  const before = gitlab.asked();
  await exchange(await lab(), 'keys');
  expect(gitlab.asked()).toBe(before);
  for (let made = 0; made < 20; made++) {
    const token = await gitlab.sign({ aud, ...gitlabClaims }, { header: { kid: randomUUID() } });
    expect((await exchange(token)).status).toBe(401);
  }
  // Both replicas may ask once.
  expect(gitlab.asked() - before).toBeLessThanOrEqual(1);
});

test('what was used and what has expired is forgotten', async () => {
  await database.query
    .updateTable('used_id_tokens')
    .set({ expires_at: new Date(Date.now() - 2 * 3600_000) })
    .execute();
  await forgetJobTokens({ database, now: Date.now });
  expect(await database.query.selectFrom('used_id_tokens').selectAll().execute()).toEqual([]);
});
