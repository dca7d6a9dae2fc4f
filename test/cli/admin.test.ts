/** The commands that only some may call, or that cannot be undone: `token` and `rm`. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Context } from '../../cli/command.ts';
import { command as rm } from '../../cli/commands/rm.ts';
import { command as token } from '../../cli/commands/token.ts';
import { readEnvironment } from '../../cli/config.ts';
import { tree } from '../files/tree.ts';
import { openAdminPlane } from './admin-plane.ts';
import { bundleCli, startCli } from './cli-process.ts';

let cli: Awaited<ReturnType<typeof bundleCli>>;
beforeAll(async () => {
  cli = await bundleCli();
});
afterAll(() => cli.remove());

const sphere = (args: string, env: Record<string, string> = {}) =>
  startCli(cli.file, args.split(' '), { cwd: tree({}), env }).ended;

/** A person at a terminal who answers every question with `yes`. */
function atTerminal(env: Record<string, string>, yes: boolean) {
  const said: string[] = [];
  const asked: string[] = [];
  const context = {
    environment: readEnvironment(env, '/'),
    output: { note: (text: string) => said.push(text) },
    prompts: { confirm: async (question: string) => asked.push(question) > 0 && yes },
    yes: false,
    directory: '/',
    flags: {},
  } as unknown as Context;
  return { context, said, asked };
}

describe('sphere token create', () => {
  test('prints the token and nothing else on stdout', async () => {
    const plane = await openAdminPlane('acme');
    const { exitCode, stdout, stderr } = await sphere('token create --account acme', plane.environment);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'sph_acme_1\n' });
    expect(stderr).toMatch(/tok_1 \("ci", scope deploy\) of acme does not expire.*not shown again/);
    expect(plane.changes).toEqual(['POST /v1/accounts/acme/tokens']);
  });

  test('gives it a name and an end', async () => {
    const plane = await openAdminPlane('acme');
    const args = 'token create --account acme --name deploys --expires 30 --json';
    const { stdout } = await sphere(args, plane.environment);
    expect(JSON.parse(stdout)).toMatchObject({ token: 'sph_acme_1', account: 'acme', name: 'deploys' });
    expect(plane.accounts.get('acme')).toMatchObject([{ name: 'deploys', expiresAt: expect.any(String) }]);
  });

  test('gives it a scope and a project', async () => {
    const plane = await openAdminPlane('acme');
    const args = 'token create --account acme --scope read --project shop --json';
    const { stdout } = await sphere(args, plane.environment);
    expect(JSON.parse(stdout)).toMatchObject({ scope: 'read', project: 'shop' });
  });

  test('makes the account with --yes', async () => {
    const plane = await openAdminPlane();
    const run = await sphere('token create --account acme --yes', plane.environment);
    expect(run).toMatchObject({
      exitCode: 0,
      stdout: 'sph_acme_1\n',
      stderr: expect.stringContaining('Made'),
    });
    expect(plane.changes).toEqual(['POST /v1/accounts', 'POST /v1/accounts/acme/tokens']);
  });

  test('makes no account without a person or --yes, and names both --yes and the accounts', async () => {
    const plane = await openAdminPlane('acme', 'globex');
    const { exitCode, stdout, stderr } = await sphere('token create --account amce', plane.environment);
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' });
    expect(stderr).toMatch(/no account "amce"[\s\S]*acme, globex[\s\S]*--yes/);
    expect(plane.changes).toEqual([]);
  });

  test.each([true, false])('asks a person whether to make the account: %s', async (yes) => {
    const plane = await openAdminPlane();
    const { context, asked } = atTerminal(plane.environment, yes);
    const create = token.subcommands?.find(({ name }) => name === 'create');
    const run = create?.run(context, [], { account: 'acme', name: 'ci' } as never);
    if (yes) await expect(run).resolves.toMatchObject({ text: 'sph_acme_1' });
    else await expect(run).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(asked).toEqual(['There is no account "acme". Make it?']);
    expect([...plane.accounts.keys()]).toEqual(yes ? ['acme'] : []);
  });

  test.each([
    ['token create', 4, '--account'],
    ['token create --account Acme', 2, '--account: "Acme"'],
    ['token create --account acme --expires soon', 2, '--expires takes a number of days'],
    ['token create --account acme --expires 0', 2, '--expires'],
    ['token create --account acme --scope root', 2, '--scope takes read, deploy or admin'],
    ['token', 2, 'token create --account NAME'],
    ['token rm --account acme', 2, "missing required argument 'id'"],
    ['token create --acount acme', 2, '--account'],
  ])('%s: exit code %i, and says %s', async (args, code, says) => {
    const { environment } = await openAdminPlane();
    const { exitCode, stdout, stderr } = await sphere(args, environment);
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
    expect(stderr.toLowerCase()).toContain(says.toLowerCase());
  });

  test('says which token it takes', async () => {
    const { environment } = await openAdminPlane('acme');
    const env = { ...environment, SPHERE_TOKEN: 'sph_of_an_account' };
    const { exitCode, stderr } = await sphere('token create --account acme', env);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/refuses SPHERE_TOKEN[\s\S]*admin token/);
  });

  test('is not for the plane on this machine', async () => {
    const { exitCode, stderr } = await sphere('token create --account acme');
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('SPHERE_URL') });
  });
});

describe('sphere token', () => {
  test('ls lists tokens without showing them, and rm removes one', async () => {
    const plane = await openAdminPlane('acme');
    await sphere('token create --account acme --expires 30', plane.environment);
    const listed = await sphere('token ls --account acme', plane.environment);
    expect(listed.stdout).toMatch(/^TOKEN .*\ntok_1 +ci +deploy +all +\d+ .* ago +2026-03-01 +never\n$/);
    expect(listed.stdout).not.toContain('sph_');

    const gone = await sphere('token rm tok_1 --account acme', plane.environment);
    expect(gone).toMatchObject({ exitCode: 0, stdout: 'tok_1\n' });
    expect((await sphere('token ls --account acme --json', plane.environment)).stdout).toBe(
      '{"tokens":[]}\n',
    );
    expect((await sphere('token rm tok_1 --account acme', plane.environment)).exitCode).toBe(1);
  });
});

describe('sphere rm', () => {
  test('shows what goes and what stays, and removes nothing without a person or --yes', async () => {
    const plane = await openAdminPlane();
    const { exitCode, stdout, stderr } = await sphere('rm shop', plane.environment);
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' });
    expect(stderr).toMatch(/http:\/\/shop\.s3-website[\s\S]*dpl_2[\s\S]*deployments +2,[\s\S]*bucket, empty/);
    expect(stderr).toContain('sphere rm shop --yes');
    expect(plane.changes).toEqual([]);
  });

  test('removes with --yes, and says what the plane has kept', async () => {
    const plane = await openAdminPlane();
    const { exitCode, stdout, stderr } = await sphere('rm shop --yes', plane.environment);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'shop\n' });
    expect(stderr).toMatch(/Removed shop\. What stays: the bucket "shop"/);
    expect(plane.changes).toEqual(['DELETE /v1/projects/shop']);
  });

  test.each([true, false])('asks a person: %s', async (yes) => {
    const plane = await openAdminPlane();
    const { context, asked, said } = atTerminal(plane.environment, yes);
    const result = await rm.run(context, ['shop'], {} as never);
    expect(result).toMatchObject({ json: { removed: yes, slug: 'shop' }, text: yes ? 'shop' : null });
    // So that `sphere rm shop && …` can tell.
    expect(result?.failed === true).toBe(!yes);
    expect(asked).toEqual(['Remove "shop" for good?']);
    expect(plane.changes).toEqual(yes ? ['DELETE /v1/projects/shop'] : []);
    if (!yes) expect(said.at(-1)).toBe('Nothing was removed.');
  });

  test.each([
    ['rm', 2],
    ['rm nope --yes', 1],
  ])('%s: exit code %i', async (args, code) => {
    const plane = await openAdminPlane();
    expect((await sphere(args, plane.environment)).exitCode).toBe(code);
    expect(plane.changes).toEqual([]);
  });
});
