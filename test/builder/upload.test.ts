/** Uploading to a store by signed URLs, which run out before a slow line has sent everything. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, json } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { blobPaths, uploadSite } from '../../builder/output/upload.ts';
import { openPlane } from '../../builder/plane.ts';
import type { Manifest } from '../../contract/manifest.ts';

const count = 40;
const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

/** A plane and its store at two addresses. Of each answer to the manifest, `good` URLs are taken, and the others refused. */
async function start(good: number, refusal: { status: number; code: string }) {
  const blobs = new Map<string, string>();
  const seen = { manifests: 0, taken: 0 };
  const listening = async (server: ReturnType<typeof createServer>) => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const store = await listening(
    createServer(async (request, response) => {
      const [, round, blob = ''] = (request.url as string).split('/');
      const content = await buffer(request);
      if (Number(round) !== seen.manifests || seen.taken >= good) {
        response.writeHead(refusal.status).end(`<Error><Code>${refusal.code}</Code></Error>`);
        return;
      }
      seen.taken += 1;
      blobs.set(blob, content.toString());
      response.end();
    }),
  );
  const plane = await listening(
    createServer(async (request, response) => {
      const { files } = (await json(request)) as Manifest;
      seen.manifests += 1;
      seen.taken = 0;
      const missing = Object.values(files)
        .filter(({ blob }) => !blobs.has(blob))
        .map(({ blob }) => ({ blob, url: `${store}/${seen.manifests}/${blob}`, headers: {} }));
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ missing }));
    }),
  );
  const directory = mkdtempSync(join(tmpdir(), 'sphere-upload-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const files: Manifest['files'] = {};
  for (let n = 0; n < count; n++) {
    const text = `file ${n}`;
    writeFileSync(join(directory, `${n}.txt`), text);
    files[`${n}.txt`] = { blob: sha256(text), bytes: text.length };
  }
  const { signal } = new AbortController();
  const open = openPlane({ url: plane, deployment: 'dpl_1', attempt: 1, bootstrapToken: 'b', signal });
  onTestFinished(() => open.close());
  const upload = () =>
    uploadSite(open, { version: 1, files, serving: {} }, blobPaths(directory, files), signal);
  return { blobs, seen, upload };
}

test.each([
  { status: 403, code: 'AccessDenied' },
  { status: 400, code: 'ExpiredToken' },
])(
  'URLs that have run out ($status $code) are asked for anew, for what is still missing',
  async (refusal) => {
    const { blobs, seen, upload } = await start(15, refusal);
    const figures = await upload();
    expect([...blobs].every(([blob, content]) => sha256(content) === blob)).toBe(true);
    expect(blobs.size).toBe(count);
    expect(seen.manifests).toBe(3);
    expect(figures).toMatchObject({ files: count, bytes: 6 * 10 + 7 * 30 });
  },
);

test('a store that refuses every URL is said after five times', async () => {
  const { seen, upload } = await start(0, { status: 403, code: 'AccessDenied' });
  await expect(upload()).rejects.toMatchObject({
    code: 'INFRASTRUCTURE',
    message: expect.stringContaining('was answered with 403'),
  });
  expect(seen.manifests).toBe(5);
});
