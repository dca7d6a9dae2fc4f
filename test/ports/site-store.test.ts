/** The site store on disk, served as the embedded plane serves it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { siteLabel } from '../../contract/preview.ts';
import { createDiskSiteStore } from '../../server/adapters/disk-site-store.ts';
import { createSiteHandler } from '../../server/sites/serve.ts';
import { siteStoreSuite } from './site-store.suite.ts';

siteStoreSuite('The disk', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sphere-sites-'));
  const store = createDiskSiteStore(join(directory, 'sites'));
  const handle = createSiteHandler({
    find: (label) => store.live(label),
    blobFile: (slug, blob) => store.blobFile(slug, blob),
    compressedDirectory: join(directory, 'compressed'),
  });
  const server = createServer((incoming, outgoing) =>
    handle(String(incoming.headers['x-label']), incoming, outgoing),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    store,
    get: (site, path) =>
      new Promise((resolve, reject) => {
        const headers = { 'x-label': siteLabel(site) };
        const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }, (answer) => {
          const { statusCode: status = 0 } = answer;
          const type = answer.headers['content-type'];
          text(answer).then((body) => resolve({ status, text: body, type }), reject);
        });
        asked.once('error', reject);
        asked.end();
      }),
    async close() {
      server.closeAllConnections();
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});
