/**
 * The plan of a publication, and the property that it stands for: stopped after any step and followed by any other
 * publication, the bucket holds exactly what the last manifest and the retained files say.
 */
import { describe, expect, test } from 'vitest';
import type { Serving } from '../../contract/configuration.ts';
import type { Manifest } from '../../contract/manifest.ts';
import type { S3 } from '../../server/adapters/s3/client.ts';
import { type Footprint, footprintOfBeginning } from '../../server/adapters/s3/footprint.ts';
import {
  changesNothing,
  planSitePublication,
  type SitePublicationPlan,
} from '../../server/adapters/s3/publication-plan.ts';
import { type Places, readHistory } from '../../server/adapters/s3/publish.ts';
import {
  compileContent,
  type SiteObject,
  staysForTabs,
  type Website,
} from '../../server/adapters/s3/site-objects.ts';
import { type Content, manifestOf } from './website.ts';

const nothing = { live: null, recent: [], unfinished: [], left: { manifests: [], certain: false } };

const one: Content = {
  'index.html': 'one',
  'about.html': 'about one',
  'sw.js': 'worker one',
  'assets/app-1a2b3c4d5e.js': 'app one',
  'robots.txt': 'robots',
};

describe('the order of a publication', () => {
  const plan = planSitePublication(
    nothing,
    manifestOf(one, { redirects: [{ source: '/old', destination: '/' }] }),
  );
  const keysOf = (stage: string) =>
    plan.writes.find((part) => part.stage === stage)?.writes.map(({ key }) => key);

  test('T12: assets first, then other files, then pages and service workers, then redirects', () => {
    expect(plan.writes.map(({ stage }) => stage)).toEqual(['assets', 'files', 'pages', 'redirects']);
    expect(keysOf('assets')).toEqual(['assets/app-1a2b3c4d5e.js']);
    expect(keysOf('files')).toEqual(['robots.txt']);
    expect(keysOf('pages')).toEqual(['index.html', 'about.html', 'sw.js', 'about']);
    expect(keysOf('redirects')).toEqual(['old', 'old/index.html']);
  });

  test('the settings of the website are written at first, and then only when they change', () => {
    expect(plan.website).toEqual({ errorDocument: null, rules: [] });
    const live = manifestOf(one);
    const again = planSitePublication({ ...nothing, live }, manifestOf({ ...one, 'index.html': 'two' }));
    expect(again.website).toBeNull();
    const spa = planSitePublication({ ...nothing, live }, manifestOf(one, { spa: true }));
    expect(spa.website).toEqual({ errorDocument: 'index.html', rules: [] });
  });

  test('nothing changed: nothing is written and nothing removed', () => {
    const live = manifestOf(one);
    const again = planSitePublication({ ...nothing, live }, manifestOf(one));
    expect(again.writes.flatMap(({ writes }) => writes)).toEqual([]);
    expect(again.removals).toEqual([]);
  });

  test('a change of settings rewrites the objects that it concerns, and no other', () => {
    const live = manifestOf(one);
    const next = planSitePublication(
      { ...nothing, live },
      manifestOf(one, {
        cleanUrls: true,
        headers: [{ source: '/robots.txt', headers: { 'cache-control': 'max-age=60' } }],
      }),
    );
    expect(next.writes.flatMap(({ writes }) => writes.map(({ key }) => key))).toEqual([
      'robots.txt',
      'about.html',
    ]);
  });
});

/** Numbers that are the same in every run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Bucket = { objects: Map<string, SiteObject>; website: Website | null };

/** The single changes of a plan, in their order. */
function* changesOf(plan: SitePublicationPlan): Generator<(bucket: Bucket) => void> {
  for (const { writes } of plan.writes) {
    for (const { key, object } of writes) yield ({ objects }) => objects.set(key, object);
  }
  const { website } = plan;
  if (website) {
    yield (bucket) => {
      bucket.website = website;
    };
  }
  for (const key of plan.removals) yield ({ objects }) => objects.delete(key);
}

/** A manifest of a few files out of few names, so that publications meet on many keys. */
function randomManifest(random: (below: number) => number): Manifest {
  const content: Content = {};
  const names = [
    'index.html',
    'about.html',
    'docs/index.html',
    'robots.txt',
    'sw.js',
    'assets/a-1a2b3c4d5e.js',
    'assets/b-2b3c4d5e6f.js',
    'assets/c-3c4d5e6f7a.css',
    '404.html',
  ];
  for (const name of names) if (random(3) > 0) content[name] = `${name} ${random(2)}`;
  const servings: Serving[] = [
    {},
    { cleanUrls: true },
    { trailingSlash: true },
    { trailingSlash: false },
    { spa: true },
    {
      redirects: [
        { source: '/about', destination: '/' },
        { source: '/docs/*', destination: '/new/:splat' },
      ],
    },
  ];
  return manifestOf(content, servings[random(servings.length)]);
}

/** What a bucket must hold: the manifest, and the fingerprinted files of what was live lately, the newest of each. */
function expectedObjects(manifest: Manifest, lately: readonly Manifest[]): Map<string, SiteObject> {
  const expected = new Map(compileContent(manifest).objects);
  for (const earlier of lately) {
    for (const [key, object] of compileContent(earlier).objects) {
      if (!expected.has(key) && staysForTabs(key, object)) expected.set(key, object);
    }
  }
  return expected;
}

const sorted = (objects: Map<string, SiteObject>) =>
  Object.fromEntries([...objects].sort(([a], [b]) => (a < b ? -1 : 1)));

/** The history as the S3 store reads it: from what the plane says, the bucket's footprint, and the manifests that are there. */
const readWith = (manifests: Record<string, Manifest>, was: Parameters<typeof readHistory>[3]) => {
  const find = async (_project: string, _region: string, deployment: string) => manifests[deployment] ?? null;
  return readHistory(
    { options: { report: () => {} } } as unknown as S3,
    { bucket: 'b', manifests: { find } } as unknown as Places,
    { project: 'p', region: 'r', slug: 's', target: 'live' },
    was,
  );
};

describe('what is known of a bucket', () => {
  const [a, b] = [
    manifestOf({ 'index.html': 'A', 'a.css': 'A' }),
    manifestOf({ 'index.html': 'B' }, { spa: true }),
  ];
  const next = manifestOf({ 'index.html': 'A', 'a.css': 'new' });
  const footprint = { deployment: 'A', left: [], begun: [] };
  const was = { live: 'A', recent: [], unfinished: [], footprint };
  const planOf = async (manifests: Record<string, Manifest>, change: Partial<typeof was> | object) => {
    const plan = planSitePublication(await readWith(manifests, { ...was, ...change }), next);
    const writes = plan.writes.flatMap((stage) => stage.writes.map(({ key }) => key));
    return { writes: writes.sort(), website: plan.website !== null };
  };

  test('only what changed is written where plane and footprint agree', async () => {
    expect(await planOf({ A: a }, {})).toEqual({ writes: ['a.css'], website: false });
  });

  test.each<[string, Record<string, Manifest>, object]>([
    ['the manifest of a publication that did not finish is lost', { A: a }, { unfinished: ['B'] }],
    [
      'the footprint knows of one whose manifest is lost',
      { A: a },
      { footprint: { ...footprint, begun: ['B'] } },
    ],
    [
      'the records come from a backup: another deployment was published since',
      { A: a, B: b },
      { footprint: { deployment: 'B', left: [], begun: [] } },
    ],
    [
      'the records come from a backup: another publication has begun since',
      { A: a, B: b },
      { footprint: { ...footprint, begun: ['B'] } },
    ],
    ['there is no footprint', { A: a }, { footprint: null }],
  ])('every key and the settings are written anew where %s', async (_, manifests, change) => {
    const { writes, website } = await planOf(manifests, change);
    expect(writes).toEqual(expect.arrayContaining(['a.css', 'index.html']));
    expect(website).toBe(true);
  });
});

test('T13: stopped after any step and followed by another publication, the bucket is exactly what that one says, also with records from a backup', async () => {
  const random = randomNumbers(7);
  let stops = 0;
  let restored = 0;
  for (let round = 0; round < 1000; round++) {
    const bucket: Bucket = {
      objects: new Map([['not-ours.txt', { kind: 'redirect', location: '/' }]]),
      website: null,
    };
    const manifests: Record<string, Manifest> = {};
    let footprint: Footprint | null = null;
    /** The plane's records, and a backup of them. */
    let records = { lived: [] as string[], unfinished: [] as string[] };
    let backup = records;

    for (let publication = 0; publication < 10; publication++) {
      if (random(6) === 0) backup = records;
      if (random(12) === 0) {
        restored += 1;
        records = backup;
      }
      const { lived, unfinished } = records;
      const live = lived[0] ?? null;
      // Now and then an earlier one again: a rollback.
      const again = lived.length > 1 && random(4) === 0 ? lived[1] : undefined;
      const deployment: string = again ?? `d${publication}`;
      const manifest: Manifest = manifests[deployment] ?? randomManifest(random);
      manifests[deployment] = manifest;
      const recent = lived.slice(0, 1 + random(4)).filter((earlier) => earlier !== deployment);
      const history = await readWith(manifests, { live, recent, unfinished, footprint });
      const plan = planSitePublication(history, manifest);
      if (!changesNothing(plan)) footprint = footprintOfBeginning(footprint, deployment);
      const changes = [...changesOf(plan)];
      const stopAt = random(3) === 0 ? changes.length : random(changes.length + 1);
      for (const change of changes.slice(0, stopAt)) change(bucket);
      const lately = [...new Set([...(live === null ? [] : [live]), ...recent])];
      // The footprint comes last; the plane's own record of the end comes after it.
      const printed = stopAt === changes.length && random(5) > 0;
      if (printed) footprint = { deployment, left: lately.filter((id) => id !== deployment), begun: [] };
      if (!printed || random(5) === 0) {
        stops += 1;
        records = { lived, unfinished: [...unfinished, deployment] };
        continue;
      }
      const { objects } = bucket;
      expect(objects.has('not-ours.txt')).toBe(true);
      const ours = new Map([...objects].filter(([key]) => key !== 'not-ours.txt'));
      const earlier = lately.map((id) => manifests[id] as Manifest);
      expect(sorted(ours)).toEqual(sorted(expectedObjects(manifest, earlier)));
      expect(bucket.website).toEqual(compileContent(manifest).website);
      records = { lived: [deployment, ...lived.filter((id) => id !== deployment)], unfinished: [] };
    }
  }
  expect(stops).toBeGreaterThan(300);
  expect(restored).toBeGreaterThan(300);
});
