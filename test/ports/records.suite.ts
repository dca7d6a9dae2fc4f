/** What the records must guarantee with several replicas at work, written once and run on each database. */
import { describe, expect, test } from 'vitest';
import type { DeploymentList, RollbackPlan } from '../../contract/api.ts';
import { duties, runDuty } from '../../server/duties.ts';
import { databaseNow, leaseUntil } from '../../server/leases.ts';
import type { Replicas, ReplicasOptions } from '../server/replicas.ts';
import { type OpenDatabase, replicasOn } from './replicas-on.ts';

export function recordsSuite(name: string, open: () => Promise<OpenDatabase>) {
  describe(`${name} under two replicas`, () => {
    const on = replicasOn(open);
    const { query, replicas } = on;
    let token = '';
    async function start(options?: ReplicasOptions): Promise<Replicas> {
      const started = await on.start(options);
      token = started.token;
      return started.replicas;
    }

    test('one Idempotency-Key at two replicas at once makes one deployment', async () => {
      const { create } = await start();
      const change = {
        project: 'site',
        source: { kind: 'git' as const, repository: 'https://example.com/a.git', commit: 'a'.repeat(40) },
      };
      const answers = await Promise.all(
        [0, 1, 0, 1, 0, 1].map((replica) => create(replica, token, change, { 'idempotency-key': 'once' })),
      );
      expect(new Set(answers.map((answer) => answer.deployment?.id)).size).toBe(1);
      expect(await query().selectFrom('deployments').select('id').execute()).toHaveLength(1);
    });

    test('many requests for one target at once: each has its own order, the last one alone is left to build', async () => {
      const { create } = await start({ maxBuilds: 1 });
      const first = await create(0, token, { project: 'other' });
      await replicas().runner.whenStarted(first.deployment.id);
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, n) => create(n, token, { project: 'site' })),
      );
      const rows = await query()
        .selectFrom('deployments')
        .select(['order', 'deployment_status', 'reason'])
        .where('project_slug', '=', 'site')
        .orderBy('order')
        .execute();
      expect(answers.every((answer) => answer.outcome === 'created')).toBe(true);
      expect(rows.map((row) => row.order)).toEqual(rows.map((_, n) => n + 1));
      expect(rows.slice(0, -1).every((row) => row.reason === 'superseded')).toBe(true);
      expect(rows.at(-1)?.deployment_status).toBe('queued');
    });

    test('no more builds run than the plane and each account may have; slots go round between accounts', async () => {
      const { create, account, runner, builder } = await start({ maxBuilds: 3, maxBuildsPerAccount: 2 });
      const other = await account('other');
      const mine = await Promise.all(
        Array.from({ length: 6 }, (_, n) => create(n, token, { project: `mine-${n}` })),
      );
      const theirs = await create(1, other, { project: 'theirs' });
      await runner.whenStarted(theirs.deployment.id);
      await expect.poll(() => runner.started.length).toBe(3);
      const started = new Set(runner.started.map((build) => build.deployment));
      expect(mine.filter((answer) => started.has(answer.deployment.id))).toHaveLength(2);
      // Whichever ends, the next one starts, on whatever replica it was asked for.
      for (let ended = 1; ended <= 4; ended++) {
        const build = runner.started.filter((one) => one.deployment !== theirs.deployment.id)[ended - 1];
        const playing = builder(ended, build?.deployment ?? '');
        await playing.register();
        await playing.fail();
        await expect.poll(() => runner.started.length).toBe(3 + ended);
      }
      expect(new Set(runner.started.map((build) => build.deployment)).size).toBe(runner.started.length);
    });

    test('a cancel that meets the publication: either it was never live, or it is ready', async () => {
      const { create, builder, runner, call, deployment: get } = await start();
      for (let round = 0; round < 12; round++) {
        const { deployment } = await create(round, token, { project: `race-${round}` });
        await runner.whenStarted(deployment.id);
        const playing = builder(round, deployment.id);
        await playing.register();
        await playing.upload({ 'index.html': 'x' });
        const [, cancelled] = await Promise.all([
          playing.built(),
          call<unknown>(round + 1, token, 'POST', `/v1/deployments/${deployment.id}/cancel`, {}),
        ]);
        await expect.poll(async () => (await get(round, token, deployment.id)).finishedAt).not.toBeNull();
        const after = await get(round, token, deployment.id);
        if (cancelled.status === 200) expect([after.status, after.live]).toEqual(['cancelled', false]);
        else expect([after.status, after.live]).toEqual(['ready', true]);
      }
    });

    test('a deployment whose replica is gone is taken over when its lease has run out, and not before', async () => {
      const { create, builder, runner, deployment: get } = await start({ leaseMs: 1_000 });
      const { deployment } = await create(0, token);
      await runner.whenStarted(deployment.id);
      const playing = builder(0, deployment.id);
      await playing.register();
      // Held by a process that is not there: as if it had been killed.
      const held = await query()
        .updateTable('deployments')
        .set({ lease_owner: 'pln_gone', lease_expires_at: leaseUntil(2_000) })
        .returning('lease_expires_at')
        .executeTakeFirstOrThrow();
      await expect.poll(() => ownerOf(deployment.id), { timeout: 10_000 }).not.toBe('pln_gone');
      const { now } = await query().selectNoFrom(databaseNow.as('now')).executeTakeFirstOrThrow();
      expect(now.getTime()).toBeGreaterThanOrEqual((held.lease_expires_at as Date).getTime());
      expect((await playing.log('after the takeover')).status).toBe(200);
      await playing.finish({ 'index.html': 'x' });
      await expect.poll(async () => (await get(1, token, deployment.id)).status).toBe('ready');
      expect((await get(1, token, deployment.id)).attempt).toBe(1);
    });

    test('a claim whose process was gone before it could note the builder is started again, the same attempt once', async () => {
      const { create, runner } = await start({ leaseMs: 1_000 });
      const { deployment } = await create(0, token);
      await runner.whenStarted(deployment.id);
      await expect.poll(() => runnerOf(deployment.id)).not.toBeNull();
      await query()
        .updateTable('deployments')
        .set({ lease_owner: 'pln_gone', lease_expires_at: new Date(Date.now() - 1), runner: null })
        .execute();
      await expect.poll(() => runnerOf(deployment.id), { timeout: 10_000 }).not.toBeNull();
      expect(runner.started.map((build) => build.attempt)).toEqual([1]);
    });

    test('a publication whose replica is gone is carried out by another', async () => {
      const { create, builder, runner, deployment: get } = await start({ leaseMs: 1_000 });
      const ids = [];
      for (const text of ['one', 'two']) {
        const { deployment } = await create(0, token, { force: true });
        await runner.whenStarted(deployment.id);
        const playing = builder(0, deployment.id);
        await playing.register();
        await playing.finish({ 'index.html': text });
        await expect.poll(async () => (await get(0, token, deployment.id)).status).toBe('ready');
        ids.push(deployment.id);
      }
      const [first, second] = ids as [string, string];
      const publicationOf = (id: string) =>
        query()
          .selectFrom('publications')
          .selectAll()
          .where('deployment_id', '=', id)
          .executeTakeFirstOrThrow();
      await query()
        .updateTable('targets')
        .set({ live_publication_id: (await publicationOf(first)).id })
        .execute();
      await query()
        .updateTable('publications')
        .set({
          state: 'running',
          finished_at: null,
          lease_owner: 'pln_gone',
          lease_expires_at: new Date(Date.now() + 500),
        })
        .where('deployment_id', '=', second)
        .execute();
      await expect.poll(async () => (await publicationOf(second)).state, { timeout: 10_000 }).toBe('done');
      expect((await get(1, token, second)).live).toBe(true);
    });

    test('an attempt that is lost is followed by another, and only its log and result count', async () => {
      const { call, create, builder, runner, deployment: get } = await start();
      const { deployment } = await create(0, token);
      await runner.whenStarted(deployment.id);
      const lost = builder(0, deployment.id);
      await lost.register();
      runner.crash(1);
      await runner.whenStarted(deployment.id, 2);
      expect((await lost.log('from the grave')).body.error?.code).toBe('ATTEMPT_STALE');
      expect((await lost.finish({ 'index.html': 'old' })).body.error?.code).toBe('ATTEMPT_STALE');
      const again = builder(1, deployment.id, 2);
      await again.register();
      await again.finish({ 'index.html': 'new' });
      await expect.poll(async () => (await get(0, token, deployment.id)).status).toBe('ready');
      // Its result is what can be gone back to.
      const { deployment: newer } = await create(0, token);
      await runner.whenStarted(newer.id);
      const last = builder(0, newer.id);
      await last.register();
      await last.finish({ 'index.html': 'newer', 'more.html': 'x' });
      await expect.poll(async () => (await get(0, token, newer.id)).status).toBe('ready');
      const plan = await call<RollbackPlan>(0, token, 'GET', '/v1/projects/site/rollback');
      expect(plan.body).toMatchObject({
        deployment: { id: deployment.id },
        paths: { changed: ['index.html'], removed: ['more.html'] },
      });
    });

    test('builders that nobody waits for are stopped, those that somebody waits for are not', async () => {
      const { create, runner, running } = await start();
      const { deployment } = await create(0, token);
      await runner.whenStarted(deployment.id);
      await expect.poll(() => runnerOf(deployment.id)).not.toBeNull();
      const builder = (attempt: number, pid: number, of = deployment.id) => ({
        deployment: of,
        attempt,
        ref: { pid, startedAt: 'paper' },
      });
      runner.others.push(builder(1, 1), builder(1, 71), builder(2, 72), builder(1, 73, 'dpl_unknown'));
      await query().deleteFrom('duties').execute();
      const planes = running.map((replica) => replica.plane);
      await Promise.all(planes.flatMap((one) => duties.map((duty) => runDuty(one, duty))));
      expect([...runner.stopped].sort()).toEqual([71, 72, 73]);
      // Neither is it time again yet.
      await Promise.all(planes.flatMap((one) => duties.map((duty) => runDuty(one, duty))));
      expect(runner.stopped).toHaveLength(3);
    });

    test('history comes in pages without a gap or a repeat, also where times are equal', async () => {
      const { create, call } = await start({ maxBuilds: 1 });
      for (let n = 0; n < 23; n++) await create(n, token, { project: n % 2 === 0 ? 'even' : 'odd' });
      await query()
        .updateTable('deployments')
        .set({ created_at: new Date(1_700_000_000_000) })
        .execute();
      for (const [filter, number] of [
        ['', 23],
        ['&project=even', 12],
      ] as const) {
        const seen: string[] = [];
        let before = '';
        for (let page = 0; page < 10; page++) {
          const path = `/v1/deployments?limit=5${filter}${before && `&before=${before}`}`;
          const { body } = await call<DeploymentList>(page, token, 'GET', path);
          seen.push(...body.deployments.map((deployment) => deployment.id));
          if (body.next === null) break;
          before = body.next;
        }
        expect(new Set(seen).size).toBe(number);
        expect(seen).toHaveLength(number);
      }
      const bad = await call<unknown>(0, token, 'GET', '/v1/deployments?before=xx');
      expect(bad.body.error?.code).toBe('REQUEST_INVALID');
    });

    test("another account's objects are not there", async () => {
      const { create, account, call } = await start();
      const other = await account('other');
      const { deployment } = await create(0, token, { project: 'mine' });
      const paths = [
        ['GET', `/v1/deployments/${deployment.id}`],
        ['GET', `/v1/deployments/${deployment.id}/logs`],
        ['POST', `/v1/deployments/${deployment.id}/cancel`],
        ['GET', '/v1/projects/mine'],
        ['DELETE', '/v1/projects/mine'],
        ['POST', '/v1/projects/mine/rollback'],
        ['GET', '/v1/deployments?project=mine'],
      ] as const;
      for (const [method, path] of paths) {
        const answer = await call<unknown>(1, other, method, path, method === 'POST' ? {} : undefined);
        expect([path, answer.status, answer.body.error?.code]).toEqual([path, 404, 'NOT_FOUND']);
      }
      const taken = await call<unknown>(1, other, 'POST', '/v1/deployments', {
        ...(await import('../server/plane.ts')).request({ project: 'mine' }),
        region: undefined,
      });
      expect(taken.body.error?.code).toBe('SLUG_IN_USE');
    });

    test('the admin token makes accounts and tokens and deploys nothing; a removed token opens nothing', async () => {
      const { call, adminToken } = await start();
      const made = await call<{ account: { name: string } }>(0, adminToken, 'POST', '/v1/accounts', {
        name: 'new',
      });
      expect([made.status, made.body.account.name]).toEqual([201, 'new']);
      const created = await call<{ token: string; id: string }>(
        1,
        adminToken,
        'POST',
        '/v1/accounts/new/tokens',
        {
          name: 'ci',
          expiresInDays: 1,
        },
      );
      const list = () => call<DeploymentList>(0, created.body.token, 'GET', '/v1/deployments');
      expect((await list()).status).toBe(200);
      expect((await call(0, adminToken, 'GET', '/v1/deployments')).body.error?.code).toBe('NOT_ALLOWED');
      expect((await call(0, created.body.token, 'GET', '/v1/accounts')).body.error?.code).toBe('NOT_ALLOWED');
      await call(1, adminToken, 'DELETE', `/v1/accounts/new/tokens/${created.body.id}`);
      await expect.poll(async () => (await list()).status).toBe(401);
      const stored = await query().selectFrom('tokens').selectAll().execute();
      expect(JSON.stringify(stored)).not.toContain(created.body.token);
    });

    test('a removed project serves nothing, stays with its account, and can be deployed again', async () => {
      const { create, builder, runner, call, account, deployment: get } = await start();
      const deploy = async () => {
        const { deployment } = await create(0, token, { project: 'gone', force: true });
        await runner.whenStarted(deployment.id);
        const playing = builder(0, deployment.id);
        await playing.register();
        await playing.finish({ 'index.html': 'x' });
        await expect.poll(async () => (await get(0, token, deployment.id)).status).toBe('ready');
        return deployment.id;
      };
      await deploy();
      const removed = await call<{ slug: string }>(1, token, 'DELETE', '/v1/projects/gone');
      expect([removed.status, removed.body.slug]).toEqual([200, 'gone']);
      expect((await call(0, token, 'GET', '/v1/projects/gone')).status).toBe(404);
      const other = await account('other');
      const theirs = (await create(0, other, { project: 'gone' })) as { error?: { code: string } };
      expect(theirs.error?.code).toBe('SLUG_IN_USE');
      const again = await deploy();
      expect((await get(1, token, again)).live).toBe(true);
      const back = await call(0, token, 'POST', '/v1/projects/gone/rollback', {});
      expect(back.body.error?.code).toBe('NOTHING_TO_ROLL_BACK');
    });

    test('a site stays in its region', async () => {
      const { create } = await start();
      const { deployment } = await create(0, token, { project: 'far', region: 'us-east-1' });
      expect(deployment.region).toBe('us-east-1');
      expect((await create(0, token, { project: 'far' })).deployment.region).toBe('us-east-1');
      const elsewhere = (await create(0, token, { project: 'far', region: 'eu-central-1' })) as {
        error?: { code: string; message: string };
      };
      expect(elsewhere.error).toMatchObject({
        code: 'SLUG_IN_USE',
        message: expect.stringContaining('us-east-1'),
      });
      const unknown = (await create(0, token, { project: 'near', region: 'eu-nowhere-1' })) as {
        error?: { code: string };
      };
      expect(unknown.error?.code).toBe('REQUEST_INVALID');
    });

    const ownerOf = async (id: string) =>
      (await query().selectFrom('deployments').select('lease_owner').where('id', '=', id).executeTakeFirst())
        ?.lease_owner;
    const runnerOf = async (id: string) =>
      (await query().selectFrom('deployments').select('runner').where('id', '=', id).executeTakeFirst())
        ?.runner;
  });
}
