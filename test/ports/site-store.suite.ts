/** What every site store must do, written once and run on each of them. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Serving } from '../../contract/configuration.ts';
import type { Manifest } from '../../contract/manifest.ts';
import { LIVE } from '../../contract/words.ts';
import type { Site, SitePublication, SiteStore, Upload } from '../../server/ports.ts';

export type OpenSiteStore = {
  store: SiteStore;
  /** Asks the site as a visitor does. */
  get(site: Site, path: string): Promise<{ status: number; text: string; type: string | undefined }>;
  close(): Promise<void>;
};

type Content = Record<string, string>;

const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');
const hashed = (name: string, content: string) => `assets/${name}-${sha256(content).slice(0, 12)}.js`;

/** The manifest of `content`. */
function manifestOf(content: Content, serving: Serving = {}): Manifest {
  const files = Object.entries(content).map(([path, text]) => [
    path,
    { blob: sha256(text), bytes: Buffer.byteLength(text) },
  ]);
  return { version: 1, files: Object.fromEntries(files), serving };
}

/** Stores `content` under the name of `blob`; false when the store refuses it. */
async function putBlob(store: SiteStore, site: Site, blob: string, content: string): Promise<boolean> {
  const { transfer } = store;
  if (transfer.kind === 'plane') {
    return transfer.putBlob(site, blob, Readable.from([Buffer.from(content)])).then(
      () => true,
      () => false,
    );
  }
  const [upload] = await transfer.blobUploads(site, [{ blob, bytes: Buffer.byteLength(content) }]);
  const { url, headers } = upload as Upload;
  const answer = await fetch(url, { method: 'PUT', headers, body: content });
  await answer.arrayBuffer();
  return answer.ok;
}

export function siteStoreSuite(name: string, open: () => Promise<OpenSiteStore>) {
  describe(`${name} as a SiteStore`, () => {
    let opened: OpenSiteStore;
    let store: SiteStore;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened?.close());

    /** A site of a project of its own. */
    const newSite = (): Site => {
      const slug = `site-${randomBytes(5).toString('hex')}`;
      return { project: `prj_${slug}`, slug, region: store.regions[0] as string, target: LIVE };
    };

    /** Uploads what is missing of `content` and stores its manifest, as a build does. */
    async function bring(site: Site, deployment: string, content: Content, serving: Serving = {}) {
      const manifest = manifestOf(content, serving);
      await store.prepare(site);
      await store.putManifest(site, deployment, manifest);
      const texts = new Map(Object.values(content).map((text) => [sha256(text), text]));
      const sizes = new Map(Object.values(manifest.files).map(({ blob, bytes }) => [blob, bytes]));
      const missing = await store.missingBlobs(site, sizes);
      for (const blob of missing) {
        expect(await putBlob(store, site, blob, texts.get(blob) as string)).toBe(true);
      }
      return missing;
    }

    const publish = (site: Site, deployment: string, change: Partial<SitePublication> = {}) =>
      store.publish({
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

    const statusOf = async (site: Site, path: string) => (await opened.get(site, path)).status;
    const textOf = async (site: Site, path: string) => (await opened.get(site, path)).text;

    const first = {
      'index.html': '<h1>one</h1>',
      'about/index.html': '<h1>about</h1>',
      [hashed('app', 'one()')]: 'one()',
      'robots.txt': 'one',
    };
    const second = {
      'index.html': '<h1>two</h1>',
      [hashed('app', 'two()')]: 'two()',
      'robots.txt': 'one',
      'new.txt': 'new',
    };

    test('takes a blob under its own SHA-256 or not at all', async () => {
      const site = newSite();
      await store.prepare(site);
      const wanted = new Map([
        [sha256('good'), 4],
        [sha256('other'), 5],
      ]);
      expect(new Set(await store.missingBlobs(site, wanted))).toEqual(new Set(wanted.keys()));
      expect(await putBlob(store, site, sha256('good'), 'evil')).toBe(false);
      expect(await store.missingBlobs(site, wanted)).toHaveLength(2);
      expect(await putBlob(store, site, sha256('good'), 'good')).toBe(true);
      expect(await store.missingBlobs(site, wanted)).toEqual([sha256('other')]);
    });

    test('keeps the blobs of projects apart', async () => {
      const [one, other] = [newSite(), newSite()];
      await Promise.all([store.prepare(one), store.prepare(other)]);
      await putBlob(store, one, sha256('mine'), 'mine');
      expect(await store.missingBlobs(other, new Map([[sha256('mine'), 4]]))).toHaveLength(1);
    });

    test('gives back the manifest that it was given', async () => {
      const site = newSite();
      const manifest = manifestOf(first, { spa: true });
      await store.putManifest(site, 'dpl_1', manifest);
      expect(await store.getManifest(site, 'dpl_1')).toEqual(manifest);
      await expect(store.getManifest(site, 'dpl_2')).rejects.toThrow();
    });

    test('serves what is published, with its types, and the same when it is published again', async () => {
      const site = newSite();
      await bring(site, 'dpl_1', first);
      for (let time = 0; time < 2; time++) {
        await publish(site, 'dpl_1', { live: time === 0 ? null : 'dpl_1' });
        expect(await opened.get(site, '/')).toMatchObject({ status: 200, text: '<h1>one</h1>' });
        expect((await opened.get(site, '/')).type).toBe('text/html; charset=utf-8');
        expect(await textOf(site, '/about/')).toBe('<h1>about</h1>');
        expect(await textOf(site, `/${hashed('app', 'one()')}`)).toBe('one()');
      }
    });

    test('changes to the next deployment: gone pages are gone, fingerprinted files of the last stay', async () => {
      const site = newSite();
      await bring(site, 'dpl_1', first);
      await publish(site, 'dpl_1');
      expect(await bring(site, 'dpl_2', second)).toHaveLength(3);
      await publish(site, 'dpl_2', { order: 2, live: 'dpl_1', recent: ['dpl_1'] });
      expect(await textOf(site, '/')).toBe('<h1>two</h1>');
      expect(await textOf(site, '/new.txt')).toBe('new');
      expect(await statusOf(site, '/about/')).toBeGreaterThanOrEqual(400);
      expect(await textOf(site, `/${hashed('app', 'one()')}`)).toBe('one()');
    });

    test('forgets fingerprinted files that were not live lately', async () => {
      const site = newSite();
      await bring(site, 'dpl_1', first);
      await publish(site, 'dpl_1');
      await bring(site, 'dpl_2', second);
      await publish(site, 'dpl_2', { order: 2, live: 'dpl_1', recent: ['dpl_1'] });
      await bring(site, 'dpl_3', { ...second, 'index.html': 'three' });
      await publish(site, 'dpl_3', { order: 3, live: 'dpl_2', recent: ['dpl_2'] });
      expect(await textOf(site, '/')).toBe('three');
      expect(await statusOf(site, `/${hashed('app', 'one()')}`)).toBeGreaterThanOrEqual(400);
      expect(await textOf(site, `/${hashed('app', 'two()')}`)).toBe('two()');
    });

    test('goes back to an earlier deployment without new content', async () => {
      const site = newSite();
      await bring(site, 'dpl_1', first);
      await publish(site, 'dpl_1');
      await bring(site, 'dpl_2', second);
      await publish(site, 'dpl_2', { order: 2, live: 'dpl_1', recent: ['dpl_1'] });
      await publish(site, 'dpl_1', { order: 3, live: 'dpl_2', recent: ['dpl_2'] });
      expect(await textOf(site, '/')).toBe('<h1>one</h1>');
      expect(await textOf(site, '/about/')).toBe('<h1>about</h1>');
      expect(await statusOf(site, '/new.txt')).toBeGreaterThanOrEqual(400);
    });

    test('a new setting alone changes what is served', async () => {
      const site = newSite();
      await bring(site, 'dpl_1', first);
      await publish(site, 'dpl_1');
      await bring(site, 'dpl_2', first, {
        headers: [{ source: '/robots.txt', headers: { 'content-type': 'text/markdown' } }],
      });
      await publish(site, 'dpl_2', { order: 2, live: 'dpl_1', recent: ['dpl_1'] });
      expect((await opened.get(site, '/robots.txt')).type).toBe('text/markdown');
    });

    test('does nothing once the signal is aborted', async () => {
      const site = newSite();
      await bring(site, 'dpl_1', first);
      await publish(site, 'dpl_1');
      await bring(site, 'dpl_2', second);
      const signal = AbortSignal.abort(new Error('the lease is lost'));
      const done = publish(site, 'dpl_2', { order: 2, live: 'dpl_1', recent: ['dpl_1'], signal });
      await expect(done).rejects.toThrow('the lease is lost');
      expect(await textOf(site, '/')).toBe('<h1>one</h1>');
    });

    test('repairs what an unfinished publication has left', async () => {
      const site = newSite();
      await bring(site, 'dpl_1', first);
      await publish(site, 'dpl_1');
      await bring(site, 'dpl_2', second);
      // Carried out, but the plane was killed before it could write that down.
      await publish(site, 'dpl_2', { order: 2, live: 'dpl_1', recent: ['dpl_1'] });
      await publish(site, 'dpl_1', { order: 1, live: 'dpl_1', recent: [], unfinished: ['dpl_2'] });
      expect(await textOf(site, '/')).toBe('<h1>one</h1>');
      expect(await textOf(site, '/about/')).toBe('<h1>about</h1>');
      expect(await statusOf(site, '/new.txt')).toBeGreaterThanOrEqual(400);
      expect(await textOf(site, `/${hashed('app', 'one()')}`)).toBe('one()');
    });

    test('serves nothing after unpublish, and can be published again', async () => {
      const site = newSite();
      await bring(site, 'dpl_1', first);
      await publish(site, 'dpl_1');
      await store.unpublish(site, { live: 'dpl_1', recent: [], unfinished: [] });
      expect(await statusOf(site, '/')).toBeGreaterThanOrEqual(400);
      expect(await statusOf(site, `/${hashed('app', 'one()')}`)).toBeGreaterThanOrEqual(400);
      await publish(site, 'dpl_1', { order: 2 });
      expect(await textOf(site, '/')).toBe('<h1>one</h1>');
    });

    test('serves a preview beside the live site, of the same content; each goes by itself', async () => {
      const site = newSite();
      const preview = { ...site, target: 'feature-x' };
      await bring(site, 'dpl_1', first);
      await publish(site, 'dpl_1');
      // What its project has need not be sent again.
      expect(await bring(preview, 'dpl_2', { ...first, 'index.html': '<h1>new</h1>' })).toHaveLength(1);
      await publish(preview, 'dpl_2');
      expect([await textOf(site, '/'), await textOf(preview, '/')]).toEqual(['<h1>one</h1>', '<h1>new</h1>']);
      // Promoted: the live site serves the preview's deployment.
      await publish(site, 'dpl_2', { order: 2, live: 'dpl_1', recent: ['dpl_1'] });
      expect(await textOf(site, '/')).toBe('<h1>new</h1>');
      await store.unpublish(preview, { live: 'dpl_2', recent: [], unfinished: [] });
      expect(await statusOf(preview, '/')).toBeGreaterThanOrEqual(400);
      expect(await textOf(site, '/')).toBe('<h1>new</h1>');
      await store.prepare(preview);
      await publish(preview, 'dpl_2', { order: 2 });
      expect(await textOf(preview, '/')).toBe('<h1>new</h1>');
    });

    test('keeps sources by their digest', async () => {
      const digest = sha256(randomBytes(8).toString('hex'));
      expect(await store.hasSource('acc', digest)).toBe(false);
      const { transfer } = store;
      if (transfer.kind === 'plane') {
        await transfer.putSource('acc', digest, Readable.from([Buffer.from('archive')]));
      } else {
        const archive = { bytes: 'archive'.length, sha256: sha256('archive') };
        const { url, headers } = await transfer.sourceUpload('acc', digest, archive);
        for (const other of ['evil!!!', 'archive and more', '']) {
          expect((await fetch(url, { method: 'PUT', headers, body: other })).ok).toBe(false);
        }
        expect(await store.hasSource('acc', digest)).toBe(false);
        expect((await fetch(url, { method: 'PUT', headers, body: 'archive' })).ok).toBe(true);
        const got = await fetch(await transfer.sourceDownload('acc', digest));
        expect(await got.text()).toBe('archive');
      }
      expect(await store.hasSource('acc', digest)).toBe(true);
      await store.removeSource('acc', digest);
      expect(await store.hasSource('acc', digest)).toBe(false);
    });
  });
}
