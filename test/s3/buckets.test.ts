/** Buckets on a real S3 server: made in the order that AWS needs, adopted only when they are ours, never touched else. */
import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  ListObjectsV2Command,
  PutBucketLifecycleConfigurationCommand,
  PutBucketTaggingCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createS3ArtifactStore } from '../../server/adapters/s3/artifacts.ts';
import { createS3 } from '../../server/adapters/s3/client.ts';
import { createBucket, createBucketInput } from '../../server/adapters/s3/create-bucket.ts';
import type { S3Compatible } from '../../server/adapters/s3/options.ts';
import { publicReadPolicy } from '../../server/adapters/s3/site-bucket.ts';
import { createS3SiteStore } from '../../server/adapters/s3/site-store.ts';
import { createS3Sweep } from '../../server/adapters/s3/sweep.ts';
import type { DirectTransfer, Site } from '../../server/ports.ts';
import { refusal } from '../peers/s3-proxy.ts';
import { blobOf, manifestOf, startS3, type TestS3 } from './website.ts';

let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3();
  // The server makes its pools, and the stores their artifact bucket, on first use: the tests look at what comes after.
  await createS3SiteStore(s3.options()).prepare(newSite());
}, 120_000);
afterAll(() => s3?.stop());
beforeEach(() => {
  s3.proxy.forget();
  s3.proxy.fault = () => null;
  s3.proxy.before = () => {};
});

function newSite(change: Partial<Site> = {}): Site {
  const slug = `site-${randomBytes(5).toString('hex')}`;
  return { project: `prj_${slug}`, slug, region: 'us-east-1', target: 'live', ...change };
}

const tagsOf = async (bucket: string, client: S3Client = s3.client) => {
  const { TagSet = [] } = await client
    .send(new GetBucketTaggingCommand({ Bucket: bucket }))
    .catch(() => ({ TagSet: [] }));
  return Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value]));
};
const keysOf = async (bucket: string, client: S3Client = s3.client) => {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key }) => Key);
};
const changes = () =>
  s3.proxy.asked
    .filter(({ operation }) => /^(?:Put|Create|Delete)/.test(operation))
    .map(({ operation, path }) => [operation, path]);

describe('T4: the request that creates a bucket', () => {
  const inputOf = (
    region: string,
    options: Parameters<typeof createBucketInput>[0] = { bucketNames: { kind: 'slug' } },
  ) => createBucketInput(options, { bucket: 'shop', region, tags: { a: 'b' } });

  test('names the region everywhere but in us-east-1, and puts the tags on', () => {
    expect(inputOf('us-east-1')).toEqual({
      Bucket: 'shop',
      CreateBucketConfiguration: { Tags: [{ Key: 'a', Value: 'b' }] },
    });
    expect(inputOf('eu-central-1')).toEqual({
      Bucket: 'shop',
      CreateBucketConfiguration: { LocationConstraint: 'eu-central-1', Tags: [{ Key: 'a', Value: 'b' }] },
    });
  });

  test('T5: asks for an account-regional name', () => {
    expect(inputOf('us-east-1', { bucketNames: { kind: 'account-regional', prefix: 'x' } })).toMatchObject({
      BucketNamespace: 'account-regional',
    });
  });

  test('T5: in a region that has no such names it is refused before anything is asked', async () => {
    const { compatible: _, ...onAws } = s3.options({
      bucketNames: { kind: 'account-regional', prefix: 'x' },
    });
    const made = createBucket(createS3(onAws), { bucket: 'x', region: 'me-south-1', tags: {} });
    await expect(made).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' });
  });
});

describe('a new bucket', () => {
  test('T1: is made in this order: note, bucket, tags, access, policy; the note goes at the end', async () => {
    const site = newSite();
    await createS3SiteStore(s3.options()).prepare(site);
    const note = `/sphere-123456789012-us-east-1/${site.project}/intents/${site.slug}.json`;
    const bucket = `/${site.slug}`;
    expect(changes().map(([operation, path]) => [operation, path?.replace(/\/$/, '')])).toEqual([
      ['PutObject', note],
      ['CreateBucket', bucket],
      ['PutBucketTagging', bucket],
      ['PutPublicAccessBlock', bucket],
      ['PutBucketPolicy', bucket],
      ['DeleteObjects', '/sphere-123456789012-us-east-1'],
    ]);
    expect(await tagsOf(site.slug)).toEqual({
      'sphere:plane': 'plane-1',
      'sphere:project': site.project,
      'sphere:target': 'live',
    });
    const { Policy } = await s3.client.send(new GetBucketPolicyCommand({ Bucket: site.slug }));
    expect(JSON.parse(Policy ?? '')).toEqual(JSON.parse(publicReadPolicy(site.slug, 'aws')));
  });

  test('T1, T2: every request says whose the bucket must be, none has an ACL, and the access block is as AWS needs it', async () => {
    await createS3SiteStore(s3.options()).prepare(newSite());
    for (const { operation, headers } of s3.proxy.asked) {
      expect(headers['x-amz-acl']).toBeUndefined();
      if (operation !== 'CreateBucket')
        expect(headers['x-amz-expected-bucket-owner'], operation).toBe('123456789012');
    }
    const block = s3.proxy.asked.find(({ operation }) => operation === 'PutPublicAccessBlock')?.body;
    expect(block).toMatch(/<BlockPublicPolicy>false<.*<RestrictPublicBuckets>false</);
  });

  test('is found in place with two requests, and with none by who found it just now', async () => {
    const site = newSite();
    const store = createS3SiteStore(s3.options());
    await store.prepare(site);
    s3.proxy.forget();
    await store.prepare(site);
    expect(s3.proxy.asked).toEqual([]);
    const another = createS3SiteStore(s3.options());
    await another.hasSource('acc', 'x');
    s3.proxy.forget();
    await another.prepare(site);
    expect(s3.proxy.asked.map(({ operation }) => operation).sort()).toEqual([
      'GetBucketTagging',
      'GetObject',
    ]);
  });

  test('is made once by two planes at the same time', async () => {
    const site = newSite();
    const stores = [createS3SiteStore(s3.options()), createS3SiteStore(s3.options())];
    await Promise.all(stores.flatMap((store) => [store.prepare(site), store.prepare(site)]));
    expect((await tagsOf(site.slug))['sphere:project']).toBe(site.project);
  });

  test('serves nobody a listing', async () => {
    const site = newSite();
    await createS3SiteStore(s3.options()).prepare(site);
    await expect(keysOf(site.slug, s3.stranger)).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  test('T3: AccessDenied right after our own change is waited out', async () => {
    let refused = 0;
    s3.proxy.fault = ({ operation }) =>
      operation === 'PutBucketPolicy' && ++refused <= 3 ? refusal(403, 'AccessDenied') : null;
    const site = newSite();
    await createS3SiteStore(s3.options()).prepare(site);
    expect(refused).toBe(4);
    await s3.client.send(new GetBucketPolicyCommand({ Bucket: site.slug }));
  });

  test('T3: other changes under way at the same time are waited out', async () => {
    let refused = 0;
    s3.proxy.fault = ({ operation }) =>
      operation.startsWith('Put') && ++refused % 2 === 1 ? refusal(409, 'OperationAborted') : null;
    const site = newSite();
    await createS3SiteStore(s3.options()).prepare(site);
    expect((await tagsOf(site.slug))['sphere:project']).toBe(site.project);
  });

  test('T2: a block on the whole account is explained', async () => {
    s3.proxy.fault = ({ operation }) =>
      operation === 'PutBucketPolicy' ? refusal(403, 'AccessDenied') : null;
    const site = newSite();
    const store = createS3SiteStore(s3.options({ settlingMs: 50 }));
    await expect(store.prepare(site)).rejects.toMatchObject({
      code: 'INFRASTRUCTURE',
      hint: expect.stringMatching(/blocked for the whole account.*--account-id 123456789012/),
    });
    // Allowed now: what was begun is finished.
    s3.proxy.fault = () => null;
    await store.prepare(site);
    await s3.client.send(new GetBucketPolicyCommand({ Bucket: site.slug }));
  });
});

describe("T5: a bucket that is not this project's is refused and left as it is", () => {
  async function refused(site: Site, client: S3Client = s3.client, store = createS3SiteStore(s3.options())) {
    const before = { tags: await tagsOf(site.slug, client), keys: await keysOf(site.slug, client) };
    s3.proxy.forget();
    await expect(store.prepare(site)).rejects.toMatchObject({ code: 'SLUG_IN_USE' });
    expect(changes().filter(([, path]) => path?.startsWith(`/${site.slug}`))).toEqual([]);
    expect({ tags: await tagsOf(site.slug, client), keys: await keysOf(site.slug, client) }).toEqual(before);
    await expect(client.send(new GetBucketPolicyCommand({ Bucket: site.slug }))).rejects.toThrow();
  }

  test("a company's own, empty", async () => {
    const site = newSite();
    await s3.client.send(new CreateBucketCommand({ Bucket: site.slug }));
    await refused(site);
  });

  test("a company's own, full of things", async () => {
    const site = newSite();
    await s3.client.send(new CreateBucketCommand({ Bucket: site.slug }));
    await s3.client.send(
      new PutObjectCommand({ Bucket: site.slug, Key: 'payroll.csv', Body: Buffer.from('secret') }),
    );
    await refused(site);
  });

  test("another account's", async () => {
    const site = newSite();
    await s3.stranger.send(new CreateBucketCommand({ Bucket: site.slug }));
    await refused(site, s3.stranger);
  });

  test("another project's, another target's, another plane's", async () => {
    const site = newSite();
    await createS3SiteStore(s3.options()).prepare(site);
    const store = createS3SiteStore(s3.options());
    await expect(store.prepare({ ...site, project: 'prj_other' })).rejects.toMatchObject({
      code: 'SLUG_IN_USE',
    });
    const other = createS3SiteStore(s3.options({ planeId: 'plane-2', artifactPrefix: 'plane-two' }));
    await expect(other.prepare(site)).rejects.toMatchObject({ code: 'SLUG_IN_USE' });
    await store.prepare(site);
  });

  test('one that appears while ours is being created', async () => {
    const site = newSite();
    s3.proxy.before = async ({ operation }) => {
      if (operation !== 'CreateBucket') return;
      await s3.client.send(new CreateBucketCommand({ Bucket: site.slug }));
      await s3.client.send(
        new PutBucketTaggingCommand({
          Bucket: site.slug,
          Tagging: { TagSet: [{ Key: 'team', Value: 'finance' }] },
        }),
      );
    };
    await expect(createS3SiteStore(s3.options()).prepare(site)).rejects.toMatchObject({
      code: 'SLUG_IN_USE',
    });
    expect(await tagsOf(site.slug)).toEqual({ team: 'finance' });
  });

  test('unpublish of a project that never had a bucket makes none', async () => {
    const site = newSite();
    await createS3SiteStore(s3.options()).unpublish(site, { live: null, recent: [], unfinished: [] });
    expect(changes()).toEqual([]);
  });
});

describe('T5: the bucket of a preview that has ended', () => {
  const regional = { bucketNames: { kind: 'account-regional', prefix: 'acme' } } as const;
  const bucketOf = ({ slug, target }: Site) =>
    `acme-${target === 'live' ? slug : `${slug}--${target}`}-123456789012-us-east-1-an`;
  const was = { live: null, recent: [], unfinished: [] };
  const isThere = (bucket: string) =>
    s3.client.send(new ListObjectsV2Command({ Bucket: bucket })).then(
      () => true,
      () => false,
    );

  test('is deleted where nobody else can take its name, and made again at once', async () => {
    const site = newSite({ target: 'feature-x' });
    const [store, other] = [createS3SiteStore(s3.options(regional)), createS3SiteStore(s3.options(regional))];
    await store.prepare(site);
    await store.unpublish(site, was);
    expect(await isThere(bucketOf(site))).toBe(false);
    // Another replica has seen it a moment ago: it looks again.
    await other.prepare(site);
    await store.unpublish(site, was);
    await other.prepare(site);
    expect((await tagsOf(bucketOf(site)))['sphere:target']).toBe('feature-x');
  });

  test('is kept while it is not empty, and where anybody could take its name; so is that of the live site', async () => {
    const site = newSite({ slug: `site-${randomBytes(4).toString('hex')}`, target: 'x' });
    const store = createS3SiteStore(s3.options(regional));
    await store.prepare(site);
    await s3.client.send(
      new PutObjectCommand({ Bucket: bucketOf(site), Key: 'theirs', Body: Buffer.from('x') }),
    );
    await store.unpublish(site, was);
    expect(await keysOf(bucketOf(site))).toEqual(['theirs']);

    const live = { ...site, target: 'live' };
    await store.prepare(live);
    await store.unpublish(live, was);
    expect(await isThere(bucketOf(live))).toBe(true);

    const named = createS3SiteStore(s3.options());
    await named.prepare(site);
    await named.unpublish(site, was);
    expect(await isThere(`${site.slug}--x`)).toBe(true);
  });

  test('is kept, and that is said, where the role does not let it go', async () => {
    const site = newSite({ slug: `site-${randomBytes(4).toString('hex')}`, target: 'x' });
    const store = createS3SiteStore(s3.options(regional));
    await store.prepare(site);
    s3.proxy.fault = ({ operation }) => (operation === 'DeleteBucket' ? refusal(403, 'AccessDenied') : null);
    await store.unpublish(site, was);
    expect(s3.reported.join()).toContain(`${bucketOf(site)} could not be deleted`);
  });
});

describe('a creation that was cut off', () => {
  test.each(['CreateBucket', 'PutBucketTagging', 'PutPublicAccessBlock', 'PutBucketPolicy', 'DeleteObjects'])(
    'before or after %s is finished by the next plane',
    async (operation) => {
      for (const done of [false, true]) {
        const site = newSite();
        s3.proxy.fault = (asked) =>
          asked.operation === operation ? { ...refusal(400, 'Killed'), done } : null;
        await expect(createS3SiteStore(s3.options()).prepare(site)).rejects.toThrow();
        s3.proxy.fault = () => null;
        const store = createS3SiteStore(s3.options());
        await store.prepare(site);
        expect((await tagsOf(site.slug))['sphere:project']).toBe(site.project);
        expect(await keysOf('sphere-123456789012-us-east-1')).not.toContain(
          `${site.project}/intents/${site.slug}.json`,
        );
      }
    },
  );

  test('is not adopted once somebody has put something there', async () => {
    const site = newSite();
    s3.proxy.fault = ({ operation }) => (operation === 'PutBucketTagging' ? refusal(400, 'Killed') : null);
    await expect(createS3SiteStore(s3.options()).prepare(site)).rejects.toThrow();
    s3.proxy.fault = () => null;
    await s3.client.send(new PutObjectCommand({ Bucket: site.slug, Key: 'theirs', Body: Buffer.from('x') }));
    await expect(createS3SiteStore(s3.options()).prepare(site)).rejects.toMatchObject({
      code: 'SLUG_IN_USE',
    });
  });
});

describe('where tags come with the creation, as on AWS', () => {
  const onAws = () => {
    const { compatible, ...options } = s3.options();
    return createS3SiteStore({
      ...options,
      compatible: { ...(compatible as S3Compatible), tagsAtCreation: true },
    });
  };
  const noteOf = (site: Site) => `${site.project}/intents/${site.slug}.json`;

  test.each([
    [403, 'AccessDenied'],
    [400, 'TooManyBuckets'],
  ])('a creation that is refused leaves no note: %i %s', async (status, code) => {
    const site = newSite();
    s3.proxy.fault = ({ operation }) => (operation === 'CreateBucket' ? refusal(status, code) : null);
    await expect(onAws().prepare(site)).rejects.toThrow();
    expect(await keysOf('sphere-123456789012-us-east-1')).not.toContain(noteOf(site));
  });

  test("T5: a company's own bucket without tags is never ours, whatever note there is", async () => {
    const site = newSite();
    await s3.client.send(
      new PutObjectCommand({
        Bucket: 'sphere-123456789012-us-east-1',
        Key: noteOf(site),
        Body: Buffer.from('{}'),
      }),
    );
    await s3.client.send(new CreateBucketCommand({ Bucket: site.slug }));
    await expect(onAws().prepare(site)).rejects.toMatchObject({ code: 'SLUG_IN_USE' });
    expect(await tagsOf(site.slug)).toEqual({});
  });
});

test('a bucket that is prepared once more keeps the settings of what is live', async () => {
  const site = newSite();
  const [one, other] = [createS3SiteStore(s3.options()), createS3SiteStore(s3.options())];
  await one.putManifest(
    site,
    'd1',
    manifestOf({}, { redirects: [{ source: '/a/*', destination: '/b/:splat' }] }),
  );
  // The other replica stands still in the middle of its preparation, while this one finishes and publishes.
  let published: Promise<void> | undefined;
  s3.proxy.before = async ({ operation }) => {
    if (operation !== 'PutBucketPolicy' || published) return;
    published = one.publish({
      site,
      deployment: 'd1',
      order: 1,
      live: null,
      recent: [],
      unfinished: [],
      signal: new AbortController().signal,
      until: () => Date.now() + 60_000,
    });
    await published;
  };
  await other.prepare(site);
  await published;
  expect((await s3.visit(site.slug, '/a/x')).status).toBe(307);
});

describe('the artifact bucket', () => {
  test('is private, one per region, and forgets only sources, caches and unfinished uploads by age', async () => {
    const options = s3.options({ artifactPrefix: 'private' });
    await createS3SiteStore(options).prepare(newSite({ region: 'eu-central-1' }));
    const bucket = 'private-123456789012-eu-central-1';
    const block = s3.proxy.asked.find(
      ({ operation, path }) => operation === 'PutPublicAccessBlock' && path.startsWith(`/${bucket}`),
    );
    expect(block?.body).toMatch(/<BlockPublicPolicy>true<.*<RestrictPublicBuckets>true</);
    const rules =
      s3.proxy.asked.find(({ operation }) => operation === 'PutBucketLifecycleConfiguration')?.body ?? '';
    expect([...rules.matchAll(/<Prefix>([^<]*)<\/Prefix>/g)].map(([, prefix]) => prefix)).toEqual([
      'sources/',
      'caches/',
      '',
    ]);
    expect(rules.match(/<Expiration>/g)).toHaveLength(2);
    await expect(keysOf(bucket, s3.stranger)).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  test('has the rules of this version, and those that somebody else has made', async () => {
    const options = s3.options({ artifactPrefix: 'ruled' });
    const bucket = 'ruled-123456789012-eu-central-1';
    const prepare = () => createS3SiteStore(options).prepare(newSite({ region: 'eu-central-1' }));
    const rules = async () => {
      const { Rules = [] } = await s3.client.send(
        new GetBucketLifecycleConfigurationCommand({ Bucket: bucket }),
      );
      return Rules.map(({ ID, Expiration }) => `${ID} ${Expiration?.Days ?? '-'}`).sort();
    };
    await prepare();
    const own = await rules();
    const rule = (ID: string, Prefix: string, Days: number) =>
      ({ ID, Status: 'Enabled', Filter: { Prefix }, Expiration: { Days } }) as const;
    const Rules = [
      rule('sphere-logs', 'logs/', 180),
      rule('sphere-sources', 'sources/', 1),
      rule('theirs', 'x/', 9),
    ];
    const change = { Bucket: bucket, LifecycleConfiguration: { Rules } };
    await s3.client.send(new PutBucketLifecycleConfigurationCommand(change));
    await prepare();
    expect(await rules()).toEqual([...own, 'theirs 9']);
    const before = s3.proxy.asked.length;
    await prepare();
    const again = s3.proxy.asked.slice(before).map(({ operation }) => operation);
    expect(again).toContain('GetBucketLifecycleConfiguration');
    expect(again).not.toContain('PutBucketLifecycleConfiguration');
  });

  test("is refused when it is another's", async () => {
    const options = s3.options({ artifactPrefix: 'taken' });
    await s3.client.send(new CreateBucketCommand({ Bucket: 'taken-123456789012-us-east-1' }));
    await s3.client.send(
      new PutObjectCommand({ Bucket: 'taken-123456789012-us-east-1', Key: 'x', Body: Buffer.from('x') }),
    );
    await expect(createS3ArtifactStore(options).put('logs/a', Buffer.from('x'))).rejects.toMatchObject({
      message: expect.stringContaining("does not carry this plane's tags"),
    });
  });

  test('keeps objects by key', async () => {
    const store = createS3ArtifactStore(s3.options());
    const keys = Array.from({ length: 5 }, (_, n) => `logs/d/${n}`);
    expect(await store.get('logs/d/0')).toBeNull();
    for (const key of [...keys].reverse()) await store.put(key, Buffer.from(key));
    expect((await store.get('logs/d/3'))?.toString()).toBe('logs/d/3');
    const listed = await store.list('logs/d/');
    expect(listed.map(({ key, bytes }) => [key, bytes])).toEqual(keys.map((key) => [key, key.length]));
    expect(Math.abs((listed[0]?.modifiedAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
    await store.remove(keys.slice(0, 4));
    expect((await store.list('logs/d/')).map(({ key }) => key)).toEqual(['logs/d/4']);
    await store.remove([]);
  });
});

test('the source of one account is not that of another', async () => {
  const { transfer, hasSource } = createS3SiteStore(s3.options());
  const archive = { bytes: 'archive'.length, sha256: blobOf('archive') };
  const { url, headers } = await (transfer as DirectTransfer).sourceUpload('acc', 'digest', archive);
  expect((await fetch(url, { method: 'PUT', headers, body: 'archive' })).status).toBe(200);
  expect([await hasSource('acc', 'digest'), await hasSource('other', 'digest')]).toEqual([true, false]);
});

test('T12: DeleteObjects answers 200 and refuses single keys: those are tried again, and said when they stay', async () => {
  const store = createS3ArtifactStore(s3.options());
  const keys = Array.from({ length: 1001 }, (_, n) => `logs/many/${String(n).padStart(4, '0')}`);
  await Promise.all(keys.slice(0, 20).map((key) => store.put(key, Buffer.from('x'))));
  s3.proxy.forget();
  const errors = (code: string) => ({
    status: 200,
    body: `<?xml version="1.0"?><DeleteResult><Error><Key>${keys[7]}</Key><Code>${code}</Code><Message>m</Message></Error></DeleteResult>`,
  });
  let times = 0;
  s3.proxy.fault = ({ operation }) =>
    operation === 'DeleteObjects' && ++times === 1 ? errors('InternalError') : null;
  await store.remove(keys);
  const deletes = s3.proxy.asked.filter(({ operation }) => operation === 'DeleteObjects');
  expect(deletes.map(({ body }) => body.match(/<Key>/g)?.length)).toEqual([1000, 1, 1]);
  expect(deletes[1]?.body).toContain(keys[7]);
  s3.proxy.fault = ({ operation }) => (operation === 'DeleteObjects' ? errors('AccessDenied') : null);
  await expect(store.remove(keys.slice(0, 10))).rejects.toThrow(`${keys[7]} with AccessDenied`);
});

describe('sweep', () => {
  const content = { 'index.html': 'kept', 'old.txt': 'old' };
  const longestBuildMs = 3600_000;

  async function brought(site: Site) {
    const store = createS3SiteStore(s3.options());
    await store.prepare(site);
    const bring = async (deployment: string, files: Record<string, string>) => {
      const manifest = manifestOf(files);
      await store.putManifest(site, deployment, manifest);
      for (const text of Object.values(files)) {
        await s3.client.send(
          new PutObjectCommand({
            Bucket: 'sphere-123456789012-us-east-1',
            Key: `${site.project}/blobs/${blobOf(text)}`,
            Body: Buffer.from(text),
          }),
        );
      }
    };
    await bring('dpl_old', content);
    await bring('dpl_new', { 'index.html': 'kept' });
    return { store, bring };
  }
  const missing = (store: ReturnType<typeof createS3SiteStore>, site: Site) =>
    store.missingBlobs(site, new Map(Object.values(content).map((text) => [blobOf(text), text.length])));
  const sweep = (site: Site, inHours: number, kept = ['dpl_new']) =>
    createS3Sweep(s3.options())({
      project: site.project,
      region: site.region,
      kept: new Set(kept),
      longestBuildMs,
      now: Date.now() + inHours * 3600_000,
    });

  test('frees in two runs what nothing refers to; in between it is missing for who asks', async () => {
    const site = newSite();
    const { store } = await brought(site);
    expect(await missing(store, site)).toEqual([]);
    expect(await sweep(site, 2)).toMatchObject({ manifests: 1, blobs: 0, noted: 1 });
    expect(await missing(store, site)).toEqual([blobOf('old')]);
    expect(await sweep(site, 2.5)).toMatchObject({ blobs: 0, noted: 1 });
    expect(await sweep(site, 4)).toMatchObject({ blobs: 1, freedBytes: 3, noted: 0 });
    expect(await missing(store, site)).toEqual([blobOf('old')]);
    await expect(store.getManifest(site, 'dpl_old')).rejects.toThrow();
    await store.getManifest(site, 'dpl_new');
  });

  test('frees nothing younger than the longest build', async () => {
    const site = newSite();
    const { store } = await brought(site);
    expect(await sweep(site, 0)).toEqual({ freedBytes: 0, manifests: 0, blobs: 0, noted: 0 });
    expect(await missing(store, site)).toEqual([]);
  });

  test('what is sent again is not missing any more, and is not freed', async () => {
    const site = newSite();
    const { store, bring } = await brought(site);
    const sweepNow = (kept: string[]) =>
      createS3Sweep(s3.options())({
        project: site.project,
        region: site.region,
        kept: new Set(kept),
        longestBuildMs: 0,
        now: Date.now(),
      });
    expect(await sweepNow(['dpl_new'])).toMatchObject({ noted: 1 });
    expect(await missing(store, site)).toEqual([blobOf('old')]);
    await bring('dpl_3', content);
    expect(await missing(store, site)).toEqual([]);
    expect(await sweepNow(['dpl_new'])).toMatchObject({ blobs: 0 });
  });

  test('what is sent again in between stays', async () => {
    const site = newSite();
    const { store, bring } = await brought(site);
    await sweep(site, 2);
    await bring('dpl_3', content);
    expect(await sweep(site, 4, ['dpl_new', 'dpl_3'])).toMatchObject({ blobs: 0 });
    expect(await missing(store, site)).toEqual([]);
  });

  test('keeps the manifests whose files lie in the bucket of the site', async () => {
    const site = newSite();
    const { store } = await brought(site);
    const { signal } = new AbortController();
    await store.publish({
      site,
      deployment: 'dpl_old',
      order: 1,
      live: null,
      recent: [],
      unfinished: [],
      signal,
      until: () => Date.now() + 60_000,
    });
    expect(await sweep(site, 2)).toMatchObject({ manifests: 0, noted: 0 });
  });

  test('keeps the manifest of a publication that began and did not finish, until another has repaired it', async () => {
    const site = newSite();
    const { store } = await brought(site);
    const publish = (deployment: string) =>
      store.publish({
        site,
        deployment,
        order: 1,
        live: null,
        recent: [],
        unfinished: [],
        signal: new AbortController().signal,
        until: () => Date.now() + 60_000,
      });
    s3.proxy.fault = ({ operation }) => (operation === 'PutBucketWebsite' ? refusal(400, 'Killed') : null);
    await expect(publish('dpl_old')).rejects.toThrow();
    s3.proxy.fault = () => null;
    expect(await sweep(site, 2)).toMatchObject({ manifests: 0, noted: 0 });
    // Nobody tells of the publication that failed: the bucket's own footprint does.
    await publish('dpl_new');
    expect(await keysOf(site.slug)).not.toContain('old.txt');
    expect(await sweep(site, 2)).toMatchObject({ manifests: 1 });
  });
});
