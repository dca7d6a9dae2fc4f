/** `sphere deploy` in a job of GitHub or GitLab, with the real program and a real plane: no token is kept anywhere. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../server/database/database.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { bundleCli, startCli } from '../cli/cli-process.ts';
import { tree } from '../files/tree.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { type Replicas, startReplicas } from './replicas.ts';
import { githubClaims, gitlabClaims, startTokenIssuer, type TokenIssuer } from './token-issuer.ts';

let cli: Awaited<ReturnType<typeof bundleCli>>;
let postgres: Postgres;
let database: Database;
let issuer: TokenIssuer;
let lab: TokenIssuer;
let plane: Replicas;
let runner: Server;
let url: string;
let asked: string[] = [];
let claims: Record<string, unknown> = githubClaims;
let busy = 0;

beforeAll(async () => {
  cli = await bundleCli();
  postgres = await startPostgres();
  const address = await postgres.createDatabase();
  database = await openPostgresDatabase({ url: address, connections: 10, report: () => {} });
  [issuer, lab] = [await startTokenIssuer(), await startTokenIssuer()];
  plane = await startReplicas(database, {
    replicas: 1,
    issuers: [
      { provider: 'github', url: issuer.url, keys: null },
      { provider: 'gitlab', url: lab.url, keys: null },
    ],
  });
  url = plane.running[0]?.url ?? '';
  await plane.account('team');
  // The endpoint that GitHub's runner gives its jobs.
  runner = createServer(async (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://runner');
    asked.push(`${request.headers.authorization} ${searchParams.get('audience')}`);
    if (busy-- > 0) return response.writeHead(503).end();
    const value = await issuer.sign({ aud: searchParams.get('audience') ?? '', ...claims });
    response.end(JSON.stringify({ count: 1, value }));
  }).listen(0, '127.0.0.1');
  await once(runner, 'listening');
  for (const trust of [
    { provider: 'github', repository: 'acme/web', project: 'shop', ref: 'main' },
    { provider: 'gitlab', repository: 'acme/group/web', project: 'shop' },
  ])
    await plane.call<unknown>(0, plane.adminToken, 'POST', '/v1/accounts/team/trusts', trust);
}, 60_000);
afterAll(async () => {
  runner.close();
  await plane.stop();
  await database.close();
  await Promise.all([issuer.stop(), lab.stop(), postgres.stop(), cli.remove()]);
}, 60_000);

const site = () => tree({ 'index.html': '<h1>hello</h1>' });
const sphere = (args: string[], env: Record<string, string>) =>
  startCli(cli.file, args, { cwd: site(), env: { CI: 'true', SPHERE_URL: url, ...env } }).ended;
const onGithub = () => ({
  ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${(runner.address() as AddressInfo).port}/token?api-version=2.0`,
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner-token',
});

test('a job of GitHub deploys with the address of the plane alone, which is all that its ID token counts for', async () => {
  asked = [];
  busy = 1;
  const run = await sphere(['deploy', '--slug', 'shop', '--detach'], onGithub());
  expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^dpl_\w+\n$/) });
  expect(run.stderr).toContain('Signed in as this job, for shop of team.');
  expect(asked).toEqual([`Bearer runner-token ${url}`, `Bearer runner-token ${url}`]);
  expect(`${run.stdout}${run.stderr}`).not.toMatch(/sph_[0-9A-Za-z]{36}|eyJ|runner-token/);
});

test('one on another branch is refused, and told what was seen', async () => {
  claims = { ...githubClaims, ref: 'refs/heads/feature' };
  const { exitCode, stdout, stderr } = await sphere(['deploy', '--slug', 'shop', '--detach'], onGithub());
  claims = githubClaims;
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr).toMatch(/No account trusts this job[\s\S]*refs\/heads\/feature/);
});

test('other commands of a job are for the project that is meant', async () => {
  expect(await sphere(['ls', 'shop', '--json'], onGithub())).toMatchObject({ exitCode: 0 });
  expect(await sphere(['regions'], { ...onGithub(), SPHERE_PROJECT: 'shop' })).toMatchObject({ exitCode: 0 });
  expect(await sphere(['logs', '--slug', 'blog'], onGithub())).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('trusts this job to deploy to "blog"'),
  });
});

test('a job of GitLab deploys with the ID token that it is given, once', async () => {
  const SPHERE_ID_TOKEN = await lab.sign({ aud: url, ...gitlabClaims });
  const first = await sphere(['deploy', '--slug', 'shop', '--detach', '--force'], { SPHERE_ID_TOKEN });
  expect(first).toMatchObject({ exitCode: 0 });
  const second = await sphere(['deploy', '--slug', 'shop', '--detach', '--force'], { SPHERE_ID_TOKEN });
  expect(second).toMatchObject({
    exitCode: 3,
    stderr: expect.stringMatching(/used already[\s\S]*id_tokens/),
  });
});

test('trusts and changes are listed, made and removed by the account itself', async () => {
  const SPHERE_TOKEN = await plane.account('team', { scope: 'admin' });
  const as = (args: string) => sphere(args.split(' '), { SPHERE_TOKEN });
  const added = await as('trust add github acme/docs --project docs --environment prod --account team');
  expect(added).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^trs_\w+\n$/) });
  expect(added.stderr).toMatch(/acme\/docs on any branch or tag in prod may deploy to docs/);
  expect((await as('trust ls --account team')).stdout).toMatch(/trs_\w+ +github:acme\/docs .* docs +never/);
  expect((await as(`trust rm ${added.stdout.trim()} --account team`)).exitCode).toBe(0);
  const audit = await as('audit --project docs');
  expect(audit.stdout).toMatch(/removeTrust .*\n.*createTrust /);
  const json = JSON.parse((await as('audit --project shop --json')).stdout);
  expect(json.entries).toContainEqual(
    expect.objectContaining({ action: 'createDeployment', actor: { kind: 'job', id: githubClaims.sub } }),
  );
});

test.each([
  ['trust add bitbucket acme/web --project shop --account team', 2, 'github or gitlab'],
  ['trust add github acme/web --account team', 4, '--project'],
  ['trust add github acme --project shop --account team', 2, 'OWNER/REPO'],
  ['trust add github acme/web --project shop --account team --ref a..b', 2, 'not a name that git allows'],
  ['trust add github acme/web --project shop --account team --issuer https://x.example', 2, 'SPHERE_OIDC'],
  ['trust add github acme/web --project shop', 4, '--account'],
  ['trust', 2, 'add, ls and rm'],
  ['audit --limit 0', 2, '--limit'],
])('%s: exit code %i, and says %s', async (args, code, says) => {
  const SPHERE_TOKEN = await plane.account('team', { scope: 'admin' });
  const { exitCode, stdout, stderr } = await sphere(args.split(' '), { SPHERE_TOKEN });
  expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
  expect(stderr).toContain(says);
});
