/** Publishing to a real S3 server: under faults, stopped in the middle, large, and as a visitor sees it. */
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Serving } from '../../contract/configuration.ts';
import { forEachBounded } from '../../files/bounded.ts';
import { blobRanges, pagesAfter } from '../../server/adapters/s3/blobs.ts';
import { createS3 } from '../../server/adapters/s3/client.ts';
import type { S3Compatible } from '../../server/adapters/s3/options.ts';
import { createSign } from '../../server/adapters/s3/signing.ts';
import { createS3SiteStore } from '../../server/adapters/s3/site-store.ts';
import type { DirectTransfer, Site, SitePublication, SiteStore, Upload } from '../../server/ports.ts';
import { refusal, slowDown } from '../peers/s3-proxy.ts';
import { blobOf, type Content, manifestOf, startS3, type TestS3 } from './website.ts';

let s3: TestS3;
let store: SiteStore;
beforeAll(async () => {
  s3 = await startS3();
  store = createS3SiteStore(s3.options());
  await store.prepare(newSite());
}, 120_000);
afterAll(() => s3?.stop());
beforeEach(() => {
  s3.proxy.forget();
  s3.proxy.fault = () => null;
  s3.proxy.before = () => {};
});

function newSite(): Site {
  const slug = `site-${randomBytes(5).toString('hex')}`;
  return { project: `prj_${slug}`, slug, region: 'us-east-1', target: 'live' };
}

/** Stores manifest and blobs as a build does. Returns the blobs that were missing. */
async function bring(site: Site, deployment: string, content: Content, serving: Serving = {}) {
  const manifest = manifestOf(content, serving);
  await store.prepare(site);
  await store.putManifest(site, deployment, manifest);
  const texts = new Map(Object.values(content).map((text) => [blobOf(text), text]));
  const sizes = new Map(Object.values(manifest.files).map(({ blob, bytes }) => [blob, bytes]));
  const missing = await store.missingBlobs(site, sizes);
  const wanted = missing.map((blob) => ({ blob, bytes: sizes.get(blob) as number }));
  const uploads = await (store.transfer as DirectTransfer).blobUploads(site, wanted);
  const agent = new Agent({ connections: 64 });
  await forEachBounded(uploads, 64, async ({ url, headers }, n) => {
    const body = texts.get(missing[n] as string) as string;
    // Past the proxy's faults, which are the publication's. The signature is for the proxy's name.
    const direct = url.replace(s3.proxy.endpoint, s3.server.endpoint);
    const host = new URL(s3.proxy.endpoint).host;
    const answer = await request(direct, {
      method: 'PUT',
      dispatcher: agent,
      headers: { ...headers, host },
      body,
    });
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, '']);
  });
  await agent.close();
  return missing;
}

const publish = (site: Site, deployment: string, change: Partial<SitePublication> = {}, by = store) =>
  by.publish({
    site,
    deployment,
    order: 1,
    live: null,
    recent: [],
    unfinished: [],
    signal: new AbortController().signal,
    until: () => Date.now() + 60_000,
    ...change,
  });

/** `count` small files, some of them pages. */
function manyFiles(count: number, version = 'one'): Content {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) =>
      n % 10 === 0
        ? [`page-${n}.html`, `<p>${n} ${version}`]
        : [`assets/chunk-${n.toString(16).padStart(7, '0')}f.js`, `chunk(${n % 500})`],
    ),
  );
}

describe('what a visitor of the website sees', () => {
  const pages = {
    'index.html': 'home',
    'about.html': 'about',
    'docs/index.html': 'docs',
    '404.html': 'nothing here',
  };
  const see = async (site: Site, path: string) => {
    const { status, text, headers } = await s3.visit(site.slug, path);
    return status < 300 || status >= 400 ? `${status} ${text}` : `${status} ${headers.location}`;
  };

  test('T10: pages without their ending, directories, and the page for what is missing', async () => {
    const site = newSite();
    await bring(site, 'd1', pages);
    await publish(site, 'd1');
    expect(await see(site, '/')).toBe('200 home');
    expect(await see(site, '/about')).toBe('200 about');
    expect(await see(site, '/about.html')).toBe('200 about');
    expect(await see(site, '/docs/')).toBe('200 docs');
    // AWS answers 404 or 403 here; radosgw 403 (T9).
    expect(await see(site, '/nope')).toMatch(/^40[34] nothing here$/);
  });

  test('T9: a single page is sent for unknown paths, with a status of 4xx', async () => {
    const site = newSite();
    await bring(site, 'd1', { 'index.html': 'the app' }, { spa: true });
    await publish(site, 'd1');
    expect(await see(site, '/some/route')).toMatch(/^40[34] the app$/);
  });

  test('T10: redirects of paths and of prefixes, and clean addresses', async () => {
    const site = newSite();
    await bring(site, 'd1', pages, {
      cleanUrls: true,
      redirects: [
        { source: '/old', destination: '/about?from=old' },
        { source: '/guide/*', destination: '/docs/:splat', permanent: true },
      ],
    });
    await publish(site, 'd1');
    expect(await see(site, '/old')).toBe('301 /about?from=old');
    expect(await see(site, '/old/')).toBe('301 /about?from=old');
    expect(await see(site, '/about.html')).toBe('301 /about');
    expect(await see(site, '/guide/a/b')).toMatch(/^308 http:\/\/.*\/docs\/a\/b$/);
    // Gone with the next deployment.
    await bring(site, 'd2', pages);
    await publish(site, 'd2', { order: 2, live: 'd1', recent: ['d1'] });
    expect(await see(site, '/old')).toMatch(/^40[34]/);
    expect(await see(site, '/guide/a/b')).toMatch(/^40[34]/);
    expect(await see(site, '/about.html')).toBe('200 about');
  });

  test('T11: types, caching, and names that need escaping', async () => {
    const site = newSite();
    const odd = "a b/ü+&'(x)!*~.txt";
    await bring(site, 'd1', { [odd]: 'odd', 'assets/app-1a2b3c4d.js': 'js', 'index.html': 'x' });
    await publish(site, 'd1');
    expect(await s3.contents(site.slug)).toHaveProperty([odd], 'odd');
    const path = odd.split('/').map(encodeURIComponent).join('/');
    expect((await s3.visit(site.slug, `/${path}`)).text).toBe('odd');
    const { headers } = await s3.visit(site.slug, '/assets/app-1a2b3c4d.js');
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
    });
  });
});

describe('uploads', () => {
  const blobUpload = {
    method: 'PUT' as const,
    key: 'prj/blobs/x',
    headers: { 'x-amz-checksum-sha256': 'abc=', 'content-length': '4' },
  };

  test.each([
    ['other content of the same length', 'evil', {}],
    ['other content of another length', 'evil!', {}],
    ['without the header that is signed', 'good', { 'x-amz-content-sha256': undefined }],
    ['with the digest of what is sent', 'evil', { 'x-amz-content-sha256': blobOf('evil') }],
  ])('are refused by S3 itself: %s', async (_, body, change) => {
    const site = newSite();
    const [upload] = await (store.transfer as DirectTransfer).blobUploads(site, [
      { blob: blobOf('good'), bytes: 4 },
    ]);
    const { url, headers } = upload as Upload;
    const sent = Object.entries({ ...headers, ...change }).filter(([, value]) => value !== undefined);
    const answer = await request(url, {
      method: 'PUT',
      headers: Object.fromEntries(sent) as Record<string, string>,
      body,
    });
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
    await answer.body.dump();
    expect(await store.missingBlobs(site, new Map([[blobOf('good'), 4]]))).toHaveLength(1);
  });

  test('on AWS carry the checksum that it verifies, in base64, and the length, both signed', async () => {
    const { compatible: _, ...onAws } = s3.options();
    const sign = createSign(createS3(onAws));
    const url = await sign({ ...blobUpload, region: 'eu-central-1', bucket: 'private', validSeconds: 60 });
    const options = s3.options();
    const compatible = { ...options.compatible, contentCheck: 'x-amz-checksum-sha256' } as S3Compatible;
    const [upload] = await (
      createS3SiteStore({ ...options, compatible }).transfer as DirectTransfer
    ).blobUploads(newSite(), [{ blob: blobOf('good'), bytes: 4 }]);
    for (const signed of [url, upload?.url ?? '']) {
      expect(new URL(signed).searchParams.get('X-Amz-SignedHeaders')).toBe(
        'content-length;host;x-amz-checksum-sha256',
      );
    }
    expect(url).toMatch(/^https:\/\/private\.s3\.eu-central-1\.amazonaws\.com\/prj\/blobs\/x\?/);
    expect(upload?.headers).toEqual({
      'x-amz-checksum-sha256': Buffer.from(blobOf('good'), 'hex').toString('base64'),
    });
  });

  test('20,000 URLs are signed in less time than the uploads of 1,000 files take', async () => {
    const blobs = Array.from({ length: 20_000 }, (_, n) => ({ blob: blobOf(String(n)), bytes: n }));
    // Of the processor, whatever else it has to do.
    const before = process.cpuUsage();
    const uploads = await (store.transfer as DirectTransfer).blobUploads(newSite(), blobs);
    const { user, system } = process.cpuUsage(before);
    expect(new Set(uploads.map(({ url }) => url)).size).toBe(20_000);
    expect((user + system) / 1000).toBeLessThan(10_000);
  });
});

describe('what is missing is found with few requests', () => {
  test('by one list for a small project', async () => {
    const site = newSite();
    await bring(site, 'd1', manyFiles(50));
    s3.proxy.forget();
    await bring(site, 'd2', { ...manyFiles(50), 'new.txt': 'new' });
    const { ListObjectsV2, HeadObject = 0 } = s3.proxy.counts();
    expect([ListObjectsV2, HeadObject]).toEqual([1, 0]);
  });

  test('by lists of parts of a large one, and by asking for single blobs when those are few', async () => {
    const site = newSite();
    const many = Object.fromEntries(Array.from({ length: 2600 }, (_, n) => [`f${n}.txt`, `content ${n}`]));
    expect(await bring(site, 'd1', many)).toHaveLength(2600);
    s3.proxy.forget();
    expect(await bring(site, 'd2', { ...many, 'new.txt': 'new' })).toEqual([blobOf('new')]);
    expect(s3.proxy.counts().ListObjectsV2).toBeLessThanOrEqual(6);
    s3.proxy.forget();
    expect(await bring(site, 'd3', { 'f1.txt': 'content 1', 'new2.txt': 'new 2' })).toEqual([
      blobOf('new 2'),
    ]);
    const { ListObjectsV2 = 0, HeadObject = 0 } = s3.proxy.counts();
    expect(ListObjectsV2 + HeadObject).toBeLessThanOrEqual(3);
  });

  test.each([
    [2, 1],
    [900, 1],
    [901, 2],
    [2000, 3],
    [50_000, 16],
  ])('%i blobs are looked for in %i ranges that cover everything', (count, ranges) => {
    const divided = blobRanges(count);
    expect(divided).toHaveLength(ranges);
    expect([divided[0]?.after, divided.at(-1)?.to]).toEqual(['', '']);
    expect(divided.slice(1).map(({ after }) => after)).toEqual(divided.slice(0, -1).map(({ to }) => to));
  });

  test('how many pages follow is judged by how far the first reached', () => {
    expect(pagesAfter({ after: '', to: '' }, '80', 1000)).toBe(1);
    expect(pagesAfter({ after: '', to: '' }, '01', 1000)).toBe(255);
    expect(pagesAfter({ after: '80', to: 'c0' }, '90', 1000)).toBe(3);
    expect(pagesAfter({ after: '80', to: 'c0' }, '80', 1000)).toBeGreaterThan(1e6);
  });
});

describe('faults', () => {
  test('T13: one request of twenty is slowed down, fails or breaks: all is published', async () => {
    const site = newSite();
    await bring(site, 'd1', manyFiles(600));
    let requests = 0;
    const faults = [slowDown, refusal(500, 'InternalError'), 'cut', 'answer-lost', slowDown] as const;
    const inject = () => {
      requests += 1;
      return requests % 20 === 0 ? (faults[(requests / 20) % faults.length] ?? null) : null;
    };
    s3.proxy.fault = inject;
    await publish(site, 'd1');
    s3.proxy.fault = () => null;
    await bring(site, 'd2', manyFiles(300, 'two'));
    s3.proxy.fault = inject;
    await publish(site, 'd2', { order: 2, live: 'd1', recent: [] });
    s3.proxy.fault = () => null;
    expect(requests).toBeGreaterThan(700);
    const assets = Object.entries(manyFiles(600)).filter(([path]) => path.startsWith('assets/'));
    const expected = { ...Object.fromEntries(assets), ...withBare(manyFiles(300, 'two')) };
    expect(await s3.contents(site.slug)).toEqual(expected);
  });

  test('a refusal without a word from S3 is told by its status and code', async () => {
    const site = newSite();
    await bring(site, 'd1', { 'index.html': 'x' });
    s3.proxy.fault = ({ operation }) =>
      operation === 'PutBucketWebsite'
        ? { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }
        : null;
    await expect(publish(site, 'd1')).rejects.toThrow('S3 answered 403 AccessDenied');
  });

  test('a copy that is answered with 200 and an error is made again', async () => {
    const site = newSite();
    await bring(site, 'd1', { 'a.txt': 'a' });
    let times = 0;
    s3.proxy.fault = ({ operation }) =>
      operation === 'CopyObject' && ++times === 1 ? { ...refusal(500, 'InternalError'), status: 200 } : null;
    await publish(site, 'd1');
    expect(times).toBe(2);
    expect(await s3.contents(site.slug)).toEqual({ 'a.txt': 'a' });
  });

  test('a blob that is gone is said', async () => {
    const site = newSite();
    await store.prepare(site);
    await store.putManifest(site, 'd1', manifestOf({ 'a.txt': 'never sent' }));
    await expect(publish(site, 'd1')).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      message: 'The content of a.txt is not there any more.',
    });
  });

  test('a manifest that is lost costs nothing but what only it has put there, and is said', async () => {
    const site = newSite();
    await bring(site, 'd1', { 'a.txt': 'a', 'b.txt': 'b' });
    await publish(site, 'd1');
    const Key = `${site.project}/manifests/d1.json`;
    await s3.client.send(new DeleteObjectCommand({ Bucket: 'sphere-123456789012-us-east-1', Key }));
    await bring(site, 'd2', { 'a.txt': 'new' });
    const fresh = createS3SiteStore(s3.options());
    await publish(site, 'd2', { order: 2, live: 'd1', recent: ['d1'] }, fresh);
    expect(await s3.contents(site.slug)).toEqual({ 'a.txt': 'new', 'b.txt': 'b' });
    expect(s3.reported).toEqual([expect.stringMatching(/^The manifest of d1 is lost/)]);
  });

  test('an aborted signal stops everything at once, and the next publication repairs the bucket', async () => {
    const site = newSite();
    const [one, two] = [manyFiles(200), { ...manyFiles(150, 'two'), 'only-two.txt': 'x' }];
    await bring(site, 'd1', one);
    await publish(site, 'd1');
    await bring(site, 'd2', two);
    const stop = new AbortController();
    let copies = 0;
    s3.proxy.before = ({ operation }) => {
      if (operation === 'CopyObject' && ++copies === 8) stop.abort(new Error('another replica took over'));
    };
    const done = publish(site, 'd2', { order: 2, live: 'd1', recent: ['d1'], signal: stop.signal });
    await expect(done).rejects.toThrow('another replica took over');
    const asked = s3.proxy.asked.length;
    s3.proxy.before = () => {};
    await bring(site, 'd3', { ...one, 'page-0.html': 'three' });
    expect(asked).toBeGreaterThan(0);
    await publish(site, 'd3', { order: 3, live: 'd1', recent: ['d1'], unfinished: ['d2'] });
    expect(await s3.contents(site.slug)).toEqual(withBare({ ...one, 'page-0.html': 'three' }));
  });

  test('a site that is taken away redirects nobody', async () => {
    const site = newSite();
    const redirects = [{ source: '/docs/*', destination: 'https://example.com/:splat', permanent: true }];
    await bring(site, 'd1', { 'index.html': 'a' }, { redirects });
    await publish(site, 'd1');
    expect((await s3.visit(site.slug, '/docs/x')).status).toBe(308);
    await store.unpublish(site, { live: 'd1', recent: [], unfinished: [] });
    const { status, headers } = await s3.visit(site.slug, '/docs/x');
    expect([status, headers.location]).toEqual([expect.toSatisfy((seen) => seen >= 400), undefined]);
  });

  test('T12: what is not in a manifest of ours stays, whatever is published', async () => {
    const site = newSite();
    await bring(site, 'd1', { 'a.txt': 'a', 'b.txt': 'b' });
    await publish(site, 'd1');
    await s3.client.send(
      new PutObjectCommand({ Bucket: site.slug, Key: 'theirs.txt', Body: Buffer.from('theirs') }),
    );
    await bring(site, 'd2', { 'a.txt': 'a' });
    await publish(site, 'd2', { order: 2, live: 'd1', recent: ['d1'] });
    expect(await s3.contents(site.slug)).toEqual({ 'a.txt': 'a', 'theirs.txt': 'theirs' });
    await store.unpublish(site, { live: 'd2', recent: ['d1'], unfinished: [] });
    expect(await s3.contents(site.slug)).toEqual({ 'theirs.txt': 'theirs' });
  });
});

describe('the time within which a publication may write', () => {
  const live = { order: 2, live: 'd1', recent: ['d1'] };

  /** A site whose next publication makes every kind of write. */
  async function liveSite() {
    const site = newSite();
    await bring(site, 'd1', { 'a.txt': 'one', 'b.txt': 'b' });
    await publish(site, 'd1');
    await bring(
      site,
      'd2',
      { 'a.txt': 'two' },
      { spa: true, redirects: [{ source: '/c/*', destination: '/d/:splat' }] },
    );
    return site;
  }

  test('is over: nothing is written', async () => {
    const site = await liveSite();
    s3.proxy.forget();
    await expect(publish(site, 'd2', { ...live, until: () => Date.now() })).rejects.toThrow('is over');
    expect(s3.proxy.asked.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  test.each([
    ['PutObject', { 'a.txt': 'one', 'b.txt': 'b' }, 403],
    ['CopyObject', { 'a.txt': 'one', 'b.txt': 'b' }, 403],
    ['PutBucketWebsite', { 'a.txt': 'two', 'b.txt': 'b', c: '-> /d/' }, 403],
    ['DeleteObjects', { 'a.txt': 'two', 'b.txt': 'b', c: '-> /d/' }, 307],
  ])('S3 itself refuses a write that was on its way too long: %s', async (held, contents, status) => {
    const site = await liveSite();
    const until = Date.now() + 2_500;
    s3.proxy.before = async ({ operation }) => {
      if (operation === held) await wait(until + 1_100 - Date.now());
    };
    await expect(publish(site, 'd2', { ...live, until: () => until })).rejects.toThrow();
    s3.proxy.before = () => {};
    expect(await s3.contents(site.slug)).toEqual(contents);
    expect((await s3.visit(site.slug, '/c/x')).status).toBe(status);
    await publish(site, 'd2', live);
    expect(await s3.contents(site.slug)).toEqual({ 'a.txt': 'two', c: '-> /d/' });
    expect((await s3.visit(site.slug, '/c/x')).status).toBe(307);
  });

  test('a process that stood still and goes on later changes nothing', async () => {
    const site = newSite();
    await bring(site, 'd1', manyFiles(400));
    const until = Date.now() + 3_000;
    let copies = 0;
    s3.proxy.before = ({ operation }) => {
      if (operation !== 'CopyObject' || ++copies !== 100) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, until + 1_100 - Date.now());
    };
    await expect(publish(site, 'd1', { until: () => until })).rejects.toThrow();
    s3.proxy.before = () => {};
    // What S3 had taken before, and at most what it was doing when all stood still.
    expect(copies).toBeLessThan(400);
    const there = Object.keys(await s3.contents(site.slug)).length;
    expect(there).toBeLessThanOrEqual(100);
  });

  test.each(['PutObject', 'CopyObject', 'PutBucketWebsite', 'DeleteObjects'])(
    'goes on while it is extended, and so does a write whose signature ran out: %s',
    async (held) => {
      const site = await liveSite();
      let late = 0;
      s3.proxy.before = async ({ operation }) => {
        if (operation === held && late++ === 0) await wait(3_200);
      };
      await publish(site, 'd2', { ...live, until: () => Date.now() + 3_000 });
      expect(late).toBeGreaterThanOrEqual(2);
      expect(await s3.contents(site.slug)).toEqual({ 'a.txt': 'two', c: '-> /d/' });
    },
  );

  test('is extended shortly before its end: what had less than a second left is written then', async () => {
    const site = await liveSite();
    const extendedAt = Date.now() + 1_500;
    const until = () => (Date.now() < extendedAt ? extendedAt + 100 : Date.now() + 3_000);
    s3.proxy.before = async ({ operation, method }) => {
      if (operation === 'PutObject' && method === 'PUT')
        await wait(Math.max(0, extendedAt - 500 - Date.now()));
    };
    await publish(site, 'd2', { ...live, until });
    expect(await s3.contents(site.slug)).toEqual({ 'a.txt': 'two', c: '-> /d/' });
  });
});

/** With the second objects of pages. */
function withBare(content: Content): Content {
  const bare = Object.entries(content).flatMap(([path, text]) =>
    path.endsWith('.html') ? [[path.slice(0, -5), text] as const] : [],
  );
  return { ...content, ...Object.fromEntries(bare) };
}

describe('requests of a publication', () => {
  test('say whose both buckets must be, and replace the headers of the blob', async () => {
    const site = newSite();
    await bring(site, 'd1', { 'index.html': 'x' }, { redirects: [{ source: '/old', destination: '/' }] });
    s3.proxy.forget();
    await publish(site, 'd1');
    const copy = s3.proxy.asked.find(({ operation }) => operation === 'CopyObject');
    expect(copy?.headers).toMatchObject({
      'x-amz-expected-bucket-owner': '123456789012',
      'x-amz-source-expected-bucket-owner': '123456789012',
      'x-amz-metadata-directive': 'REPLACE',
      'x-amz-copy-source': `sphere-123456789012-us-east-1/${site.project}/blobs/${blobOf('x')}`,
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'public, max-age=0, must-revalidate',
    });
    for (const { headers } of s3.proxy.asked) {
      expect(headers['x-amz-acl']).toBeUndefined();
      expect(headers['x-amz-expected-bucket-owner']).toBe('123456789012');
    }
  });

  test('nothing changed: a handful; one file changed: one copy more', async () => {
    const site = newSite();
    const files = manyFiles(300);
    await bring(site, 'd1', files);
    await publish(site, 'd1');
    await bring(site, 'd2', files);
    s3.proxy.forget();
    await publish(site, 'd2', { order: 2, live: 'd1', recent: ['d1'] });
    expect(s3.proxy.asked.length).toBeLessThanOrEqual(4);
    await bring(site, 'd3', { ...files, 'robots.txt': 'x' });
    s3.proxy.forget();
    await publish(site, 'd3', { order: 3, live: 'd2', recent: ['d2', 'd1'] });
    expect(s3.proxy.counts()).toMatchObject({ CopyObject: 1 });
    expect(s3.proxy.mostAtOnce()).toBeLessThanOrEqual(64);
  });

  test('a site of many files is published while one request of twenty is refused', {
    timeout: 600_000,
  }, async () => {
    const count = process.env.SPHERE_TEST_ALL ? 20_000 : 5_000;
    const site = newSite();
    const files = manyFiles(count);
    await bring(site, 'd1', files);
    let requests = 0;
    s3.proxy.fault = () => (++requests % 20 === 0 ? slowDown : null);
    await publish(site, 'd1');
    s3.proxy.fault = () => null;
    const { CopyObject = 0 } = s3.proxy.counts();
    expect(CopyObject).toBeGreaterThan(count);
    expect(s3.proxy.mostAtOnce()).toBeLessThanOrEqual(64);
    for (const path of ['page-0', `page-${count - 10}.html`]) {
      expect((await s3.visit(site.slug, `/${path}`)).status).toBe(200);
    }
  });
});
