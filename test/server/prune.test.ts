/** `sphere prune` frees what nothing needs, and nothing that a build or a site is about to use. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { frameworkCachesOf, modulesPlaceOf } from '../../builder/cache/places.ts';
import type { BuildContext } from '../../builder/context.ts';
import type { PruneAnswer } from '../../contract/api.ts';
import { createDiskSiteStore, siteStorePaths } from '../../server/adapters/disk-site-store.ts';
import { startPlane, type TestPlane } from './plane.ts';

const dayMs = 24 * 3600_000;

let plane: TestPlane;
beforeEach(async () => {
  plane = await startPlane();
});
afterEach(() => plane.remove());

const at = (...parts: string[]) => join(plane.home, ...parts);
const prune = () => plane.call<PruneAnswer>('POST', '/v1/plane/prune', {});

/** Writes a file of 10 bytes in the data directory; with `days`, as if that long ago. */
async function write(path: string, days = 0): Promise<string> {
  await mkdir(dirname(at(path)), { recursive: true });
  await writeFile(at(path), '0123456789');
  await age(path, days);
  return at(path);
}

async function age(path: string, days: number): Promise<void> {
  const time = new Date(Date.now() - days * dayMs);
  await utimes(at(path), time, time);
}

/** Ages everything at or below `path`. */
async function ageAll(path: string, days: number): Promise<void> {
  for (const name of await readdir(at(path), { recursive: true })) await age(join(path, name), days);
  await age(path, days);
}

/** Deploys `html` from queue to live. */
async function deploy(html: string): Promise<string> {
  const { deployment } = await plane.create();
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(deployment.id);
  await builder.register();
  await builder.finish({ 'index.html': html });
  await plane.ended(deployment.id);
  return deployment.id;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('build directories', () => {
  test('of deployments that no longer run are freed', async () => {
    await write('builds/dpl_gone-1/work/file');
    await ageAll('builds', 1);
    const { status, body } = await prune();
    expect(status).toBe(200);
    expect(body.parts).toContainEqual({ what: 'build directories', freedBytes: 10 });
    expect(existsSync(at('builds/dpl_gone-1'))).toBe(false);
  });

  test('of a deployment that is claimed while prune runs are kept', async () => {
    // Prune reads manifests after its query: at this one it waits until the test writes.
    const pipe = at('sites/projects/other/manifests/dpl_slow.json');
    await mkdir(dirname(pipe), { recursive: true });
    execFileSync('mkfifo', [pipe]);
    const pruned = prune();
    const writer = await open(pipe, 'w');
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const fresh = await write(`builds/${deployment.id}-1/builder.log`);
    await writer.writeFile(JSON.stringify({ version: 1, files: {}, serving: {} }));
    await writer.close();
    expect((await pruned).status).toBe(200);
    expect(existsSync(fresh)).toBe(true);
  });
});

describe('caches', () => {
  test('are freed one by one, by the newest file in each', async () => {
    const entries = ['modules/site/live', 'modules/site/old', 'frameworks/site/live', 'frameworks/gone/live'];
    for (const entry of entries) await write(`cache/${entry}/key/0/file`);
    for (const mirror of ['used.git', 'idle.git']) await write(`cache/git/${mirror}/objects/pack/file`);
    await ageAll('cache', 10);
    for (const used of ['modules/site/live/key/0', 'frameworks/site/live/key/0', 'git/used.git/objects/pack'])
      await age(`cache/${used}/file`, 1);

    const { body } = await prune();
    expect(body.parts).toContainEqual({ what: 'caches that no build used for a week', freedBytes: 30 });
    expect(await readdir(at('cache/modules/site'))).toEqual(['live']);
    expect(await readdir(at('cache/frameworks/site'))).toEqual(['live']);
    expect(await readdir(at('cache/frameworks/gone'))).toEqual([]);
    expect(await readdir(at('cache/git'))).toEqual(['used.git']);
  });

  test('that builds only read count as used', async () => {
    await write('cache/modules/site/live/key/0/file');
    await write('cache/frameworks/site/live/.next/file');
    await ageAll('cache', 10);
    const context = {
      config: { cacheDirectory: at('cache'), machine: {} },
      spec: { project: 'site', target: 'preview/topic' },
      signal: new AbortController().signal,
    } as unknown as BuildContext;
    modulesPlaceOf(context, at('source'));
    frameworkCachesOf(context, at('source'), []);
    await prune();
    expect(existsSync(at('cache/modules/site/live/key'))).toBe(true);
    expect(existsSync(at('cache/frameworks/site/live/.next'))).toBe(true);
  });

  test('of tools are kept while there are builds', async () => {
    await write('cache/tools/pnpm@10/file');
    await ageAll('cache', 10);
    await deploy('one');
    await prune();
    expect(existsSync(at('cache/tools/pnpm@10'))).toBe(true);
  });

  test('of tools are freed when nothing was built for a week', async () => {
    await write('cache/tools/pnpm@10/file');
    await ageAll('cache', 10);
    await prune();
    expect(existsSync(at('cache/tools/pnpm@10'))).toBe(false);
  });

  test('are measured without following links', async () => {
    await write('elsewhere/file');
    await write('cache/modules/site/live/key/0/file');
    execFileSync('ln', ['-s', at('elsewhere'), at('cache/modules/site/live/key/0/link')]);
    await ageAll('cache', 10);
    // `utimes` followed the link, so its own age is set by itself.
    execFileSync('touch', ['-h', '-d', '@1000000000', at('cache/modules/site/live/key/0/link')]);
    const { body } = await prune();
    const freedBytes = 10 + at('elsewhere').length;
    expect(body.parts).toContainEqual({ what: 'caches that no build used for a week', freedBytes });
    expect(existsSync(at('cache/modules/site/live'))).toBe(false);
    expect(existsSync(at('elsewhere/file'))).toBe(true);
  });
});

describe('manifests', () => {
  test('that are half written, or go while prune reads, do not stop it', async () => {
    const id = await deploy('one');
    const manifests = 'sites/projects/site/manifests';
    await write(`${manifests}/${id}.json.0a1b2c.draft`);
    // A link to nothing is what a file that has just been renamed looks like: listed, and not there.
    execFileSync('ln', ['-s', 'nothing', at(manifests, 'dpl_renamed.json')]);
    expect((await prune()).status).toBe(200);
    expect(existsSync(at(manifests, `${id}.json`))).toBe(true);
  });

  test('mark the files of live deployments, however old they are', async () => {
    await deploy('one');
    await ageAll('sites', 10);
    await write(`sites/projects/site/blobs/ab/ab${'0'.repeat(62)}`, 10);
    const { body } = await prune();
    expect(body.parts).toContainEqual({ what: 'files of old deployments', freedBytes: 10 });
    expect(existsSync(siteStorePaths(at('sites')).blob('site', sha256('one')))).toBe(true);
  });
});

describe('what is old and is said to be there', () => {
  test('is kept for the deployment that is about to use it', async () => {
    const paths = siteStorePaths(at('sites'));
    const [reused, unused] = [sha256('reused'), sha256('unused')];
    for (const digest of [reused, unused]) {
      await write(paths.blob('site', digest).slice(plane.home.length), 10);
      await write(paths.source(digest).slice(plane.home.length), 10);
    }
    const sites = createDiskSiteStore(at('sites'));
    const site = { project: 'prj', slug: 'site', region: 'local', target: 'live' };
    const blobs = new Map([reused, sha256('never')].map((blob) => [blob, 10]));
    expect(await sites.missingBlobs(site, blobs)).toEqual([sha256('never')]);
    expect(await sites.hasSource('embedded', reused)).toBe(true);
    expect(await sites.hasSource('embedded', sha256('never'))).toBe(false);
    await prune();
    expect([paths.blob('site', reused), paths.source(reused)].map(existsSync)).toEqual([true, true]);
    expect([paths.blob('site', unused), paths.source(unused)].map(existsSync)).toEqual([false, false]);
  });
});

test('compressed copies go with their blobs, and only with them', async () => {
  await deploy('one');
  const [needed, gone] = [sha256('one'), sha256('gone')];
  const copies = [`${needed}.br`, `${needed}.br.0a1b.tmp`, `${gone}.gzip`];
  for (const name of copies) await write(`compressed/${name.slice(0, 2)}/${name}`);
  await ageAll('compressed', 10);
  const { body } = await prune();
  expect(body.parts).toContainEqual({ what: 'compressed copies', freedBytes: 20 });
  expect((await stat(at('compressed', needed.slice(0, 2), `${needed}.br`))).size).toBe(10);
  expect(existsSync(at('compressed', gone.slice(0, 2), `${gone}.gzip`))).toBe(false);
});
