/** What previews must guarantee with several replicas at work, written once and run on each database. */
import { describe, expect, test } from 'vitest';
import type { CreateDeployment, Deployment, Target } from '../../contract/api.ts';
import type { DiskSiteStore } from '../../server/adapters/disk-site-store.ts';
import { duties, runDuty } from '../../server/duties.ts';
import { keptDeployments } from '../../server/kept-deployments.ts';
import type { Replicas, ReplicasOptions } from '../server/replicas.ts';
import { type OpenDatabase, replicasOn } from './replicas-on.ts';

export function previewsSuite(name: string, open: () => Promise<OpenDatabase>) {
  describe(`Previews on ${name} under two replicas`, () => {
    const on = replicasOn(open);
    const { query, replicas } = on;
    let token = '';
    async function start(options?: ReplicasOptions): Promise<Replicas> {
      const started = await on.start(options);
      token = started.token;
      return started.replicas;
    }
    const onePlane = () => (replicas().running[0] as Replicas['running'][0]).plane;
    const sites = () => onePlane().sites as DiskSiteStore;
    const kept = async () => [...(await keptDeployments(onePlane())).values()].flatMap((set) => [...set]);

    const preview = { project: 'site', target: 'feature-x' };
    type Targets = { targets: Target[] };
    type Rolled = { deployment: Deployment; previous: Deployment | null; kind: string };

    /** Plays the build of a deployment that was created, to its end. */
    async function build(id: string, text: string) {
      await replicas().runner.whenStarted(id);
      const playing = replicas().builder(0, id);
      await playing.register();
      await playing.finish({ 'index.html': text });
      await expect.poll(async () => (await get(id)).status, { timeout: 10_000 }).toBe('ready');
      return id;
    }
    async function deploy(text: string, change: Partial<CreateDeployment> = {}) {
      const { deployment } = await replicas().create(0, token, { project: 'site', ...change });
      return build(deployment.id, text);
    }
    const get = (id: string) => replicas().deployment(1, token, id);
    const call = <T>(method: string, path: string, body?: object) =>
      replicas().call<T>(1, token, method, `/v1/projects/site${path}`, body);
    const targets = async () => (await call<Targets>('GET', '/targets')).body.targets;
    const end = (name: string, at: Date) =>
      query().updateTable('targets').set({ expires_at: at }).where('name', '=', name).execute();

    /** What the duty does when it is its time, at every replica at once. */
    async function runDue() {
      await query().deleteFrom('duties').execute();
      await Promise.all(replicas().running.flatMap((one) => duties.map((duty) => runDuty(one.plane, duty))));
    }

    test('are beside the live site: each target has its own order, queue, "already live" and pointer', async () => {
      const { create } = await start({ maxBuilds: 1 });
      const live = await deploy('live');
      const blocking = await create(0, token, { project: 'other' });
      await replicas().runner.whenStarted(blocking.deployment.id);
      // Many ask for both targets at once, the preview's not made yet.
      const asked = await Promise.all(
        Array.from({ length: 8 }, (_, n) => create(n, token, n % 2 === 0 ? preview : { project: 'site' })),
      );
      const rows = await query()
        .selectFrom('deployments')
        .select(['target', 'order', 'deployment_status'])
        .where('project_slug', '=', 'site')
        .orderBy('order')
        .execute();
      for (const [target, orders] of [
        ['live', [1, 2, 3, 4, 5]],
        ['feature-x', [1, 2, 3, 4]],
      ] as const) {
        const of = rows.filter((row) => row.target === target);
        expect(of.map((row) => row.order)).toEqual(orders);
        // One is left to build of each: neither supersedes the other's.
        expect(of.filter((row) => row.deployment_status === 'queued')).toHaveLength(1);
      }
      expect(asked.map(({ deployment }) => deployment.target)).toContain('feature-x');
      const cancel = (id: string) => replicas().call(0, token, 'POST', `/v1/deployments/${id}/cancel`, {});
      await cancel(blocking.deployment.id);
      const last = asked.map((answer) => answer.deployment.id);
      const queued = (await Promise.all(last.map(get))).filter(({ finishedAt }) => finishedAt === null);
      for (const one of queued.filter(({ target }) => target === 'live')) await cancel(one.id);
      for (const one of queued.filter(({ target }) => target !== 'live')) await build(one.id, 'beside');
      expect((await get(live)).liveOn).toEqual(['live']);
      expect((await targets()).map(({ name, deployment }) => [name, deployment?.liveOn])).toEqual([
        ['live', ['live']],
        ['feature-x', ['feature-x']],
      ]);

      const source = {
        kind: 'git' as const,
        repository: 'https://example.com/a.git',
        commit: 'b'.repeat(40),
      };
      const first = await deploy('same', { ...preview, source });
      const again = await create(1, token, { ...preview, source });
      expect([again.outcome, again.deployment.id]).toEqual(['already_live', first]);
      // What is live beside is not what would be live here.
      expect((await create(1, token, { project: 'site', source })).outcome).toBe('created');
    });

    test('of a name that no host could have are refused', async () => {
      const { create } = await start();
      const refused = async (change: Partial<CreateDeployment>) =>
        ((await create(0, token, change)) as { error?: { code: string } }).error?.code;
      for (const target of ['a--b', 'A', '-a', 'x-s3', 'a'.repeat(59)])
        expect([target, await refused({ ...preview, target })]).toEqual([target, 'REQUEST_INVALID']);
      expect(await refused({ project: 'a'.repeat(50), target: 'b'.repeat(12) })).toBe('REQUEST_INVALID');
      expect(await refused({ project: 'site', expireAfterDays: 3 })).toBe('REQUEST_INVALID');
      expect(await refused({ ...preview, expireAfterDays: 91 })).toBe('REQUEST_INVALID');
      expect(await query().selectFrom('targets').selectAll().where('name', '<>', 'live').execute()).toEqual(
        [],
      );
    });

    test('end after 14 days or what was asked for, which every deployment renews', async () => {
      const { create } = await start();
      const days = async (change: Partial<CreateDeployment> = {}) => {
        const { expiresAt } = await create(0, token, { ...preview, ...change });
        return Math.round((Date.parse(expiresAt ?? '') - Date.now()) / 86_400_000);
      };
      expect(await days()).toBe(14);
      await end('feature-x', new Date(Date.now() + 1_000));
      expect(await days({ expireAfterDays: 3 })).toBe(3);
      expect((await create(0, token, { project: 'site' })).expiresAt).toBeUndefined();
      // Also one that finds that nothing has changed.
      const source = {
        kind: 'git' as const,
        repository: 'https://example.com/a.git',
        commit: 'b'.repeat(40),
      };
      await deploy('one', { ...preview, source });
      await end('feature-x', new Date(Date.now() + 1_000));
      expect(await days({ source })).toBe(14);
    });

    test('are removed by one replica when they end, whole; live is untouched, and they may come again', async () => {
      const { create } = await start();
      await deploy('live');
      const ended = await deploy('ended', preview);
      const other = await deploy('kept', { ...preview, target: 'kept' });
      const unfinished = await create(0, token, preview);
      await end('feature-x', new Date(Date.now() - 1));
      // From that moment on, whenever it is taken away.
      expect((await targets()).map(({ name }) => name)).toEqual(['live', 'kept']);
      expect((await get(ended)).live).toBe(false);
      expect((await call('POST', '/promote', { target: 'feature-x' })).body.error?.code).toBe('NOT_FOUND');
      await runDue();
      const { live_publication_id, emptied_at, removed_at } = await query()
        .selectFrom('targets')
        .selectAll()
        .where('name', '=', 'feature-x')
        .executeTakeFirstOrThrow();
      expect([live_publication_id, emptied_at !== null, removed_at !== null]).toEqual([null, true, true]);
      expect(await get(unfinished.deployment.id)).toMatchObject({ status: 'cancelled', reason: 'user' });
      expect([sites().live('site--feature-x'), sites().live('site--kept')?.deployment]).toEqual([
        null,
        other,
      ]);
      expect(sites().live('site')).not.toBeNull();
      expect(await kept()).not.toContain(ended);
      // It is not promoted from the grave.
      const promoted = await call('POST', '/promote', { deployment: ended });
      expect(promoted.body.error?.code).toBe('NOT_PUBLISHED');

      const again = await deploy('again', preview);
      expect((await get(again)).live).toBe(true);
      expect(sites().live('site--feature-x')?.deployment).toBe(again);
      expect((await targets()).map(({ name }) => name)).toEqual(['live', 'feature-x', 'kept']);
    });

    test('whose removal was cut off are finished later', async () => {
      const { create } = await start();
      await deploy('one', preview);
      const ago = new Date(Date.now() - 16 * 60_000);
      await query()
        .updateTable('targets')
        .set({ removed_at: ago, expires_at: null, live_publication_id: null })
        .where('name', '=', 'feature-x')
        .execute();
      const early = (await create(0, token, preview)) as { error?: { code: string } };
      expect(early.error?.code).toBe('PUBLISHING');
      await runDue();
      expect(sites().live('site--feature-x')).toBeNull();
      await deploy('two', preview);
    });

    test('are removed by hand, live is not; another account removes nothing', async () => {
      const { account } = await start();
      await deploy('live');
      await deploy('preview', preview);
      const other = await account('other');
      const theirs = await replicas().call<unknown>(
        0,
        other,
        'DELETE',
        '/v1/projects/site/targets/feature-x',
      );
      expect(theirs.status).toBe(404);
      expect((await call('DELETE', '/targets/live')).body.error?.code).toBe('REQUEST_INVALID');
      expect((await call('DELETE', '/targets/none')).body.error?.code).toBe('NOT_FOUND');
      expect((await call('DELETE', '/targets/feature-x')).status).toBe(200);
      expect((await call('DELETE', '/targets/feature-x')).body.error?.code).toBe('NOT_FOUND');
      expect((await targets()).map(({ name }) => name)).toEqual(['live']);
    });

    test('go with their project, also those that had gone before', async () => {
      const { call: ask } = await start();
      await deploy('gone', { ...preview, target: 'gone' });
      expect((await call('DELETE', '/targets/gone')).status).toBe(200);
      await deploy('preview', preview);
      expect((await ask(0, token, 'DELETE', '/v1/projects/site')).status).toBe(200);
      expect(sites().live('site--feature-x')).toBeNull();
      await deploy('again');
      expect((await targets()).map(({ name }) => name)).toEqual(['live']);
      await deploy('back', { ...preview, target: 'gone' });
      expect((await targets()).map(({ name }) => name)).toEqual(['live', 'gone']);
    });

    test('are promoted without a build; going back goes to what was live before', async () => {
      const { runner } = await start();
      const one = await deploy('one');
      const two = await deploy('two', preview);
      const builds = runner.started.length;
      const promoted = await call<Rolled>('POST', '/promote', { target: 'feature-x' });
      expect(promoted.body).toMatchObject({
        kind: 'promote',
        deployment: { id: two, target: 'feature-x', liveOn: ['live', 'feature-x'] },
        previous: { id: one },
      });
      expect([sites().live('site')?.deployment, sites().live('site--feature-x')?.deployment]).toEqual([
        two,
        two,
      ]);
      // Promoted again, it is what it is.
      const again = await call<Rolled>('POST', '/promote', { deployment: two });
      expect([again.status, again.body.previous?.id]).toEqual([200, two]);
      // The preview goes its own way; what was promoted stays.
      await deploy('three', preview);
      expect((await get(two)).liveOn).toEqual(['live']);
      await call('DELETE', '/targets/feature-x');
      expect(await kept()).toContain(two);

      const back = await call<Rolled>('POST', '/rollback', {});
      expect([back.body.deployment?.id, back.body.previous?.id]).toEqual([one, two]);
      expect((await call('POST', '/rollback', {})).body.error?.code).toBe('NOTHING_TO_ROLL_BACK');
      expect((await call<Rolled>('POST', '/rollback', { deployment: two })).body.deployment?.id).toBe(two);
      expect(sites().live('site')?.deployment).toBe(two);
      expect(runner.started).toHaveLength(builds + 1);
    });

    test('a promotion beats every deployment that was asked for before it, and none that was asked for after', async () => {
      const { create } = await start();
      const beside = await deploy('beside', preview);
      const before = await create(0, token, { project: 'site' });
      expect((await call<Rolled>('POST', '/promote', { target: 'feature-x' })).status).toBe(200);
      const after = await create(0, token, { project: 'site', force: true });
      for (const { deployment } of [before, after]) {
        await replicas().runner.whenStarted(deployment.id);
        const playing = replicas().builder(0, deployment.id);
        await playing.register();
        await playing.finish({ 'index.html': deployment.id });
        await expect
          .poll(async () => (await get(deployment.id)).finishedAt, { timeout: 10_000 })
          .not.toBeNull();
      }
      expect(await get(before.deployment.id)).toMatchObject({ status: 'cancelled', reason: 'outrun' });
      expect((await get(after.deployment.id)).liveOn).toEqual(['live']);
      expect((await get(beside)).liveOn).toEqual(['feature-x']);
    });

    test('what is promoted has to be served by a preview of the project', async () => {
      const { create } = await start();
      const live = await deploy('live');
      const { deployment } = await create(0, token, preview);
      const refusal = async (body: object) => (await call('POST', '/promote', body)).body.error?.code;
      expect(await refusal({ target: 'feature-x' })).toBe('NOT_PUBLISHED');
      expect(await refusal({ target: 'live' })).toBe('NOT_FOUND');
      expect(await refusal({ deployment: live })).toBe('NOT_PUBLISHED');
      expect(await refusal({ deployment: 'dpl_none' })).toBe('NOT_FOUND');
      expect(await refusal({})).toBe('REQUEST_INVALID');
      expect(['PUBLISHING', 'NOT_PUBLISHED']).toContain(await refusal({ deployment: deployment.id }));
    });
  });
}
