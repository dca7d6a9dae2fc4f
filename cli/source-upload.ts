/** Sends a source where the plane wants it: to itself, or to a store that it names. */
import type { Readable } from 'node:stream';
import type { SourceAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { expectSuccess, type PlaneAddress, retrying } from './answers.ts';
import { type HttpClient, readText } from './http.ts';

/** `open` gives the tar.gz, of `bytes` bytes where that is known; it is called again for every further try. */
export async function uploadSource(
  client: HttpClient,
  plane: PlaneAddress,
  upload: NonNullable<SourceAnswer['upload']>,
  open: () => Readable,
  bytes?: number,
): Promise<void> {
  const url = new URL(upload.url, plane.url);
  if (url.origin !== new URL(plane.url).origin) {
    const elsewhere = { ...upload, url: url.href };
    if (bytes !== undefined) return uploadElsewhere(client, plane, elsewhere, open, bytes);
    const { spool } = await import('./spool.ts');
    const spooled = await spool(open());
    return uploadElsewhere(client, plane, elsewhere, spooled.open, spooled.bytes).finally(spooled.remove);
  }
  const headers: Record<string, string> = { 'content-type': 'application/gzip', ...upload.headers };
  headers.authorization ??= `Bearer ${plane.token}`;
  await retrying(plane, true, async () => {
    const content = open();
    // What made the content break off says more than the broken connection that follows from it.
    let broken: unknown;
    content.once('error', (error) => {
      broken = error;
    });
    try {
      const call = { method: 'PUT', url: url.href, headers, body: content, timeoutMs: 5 * 60_000 };
      (await expectSuccess(await client.send(call))).resume();
    } catch (error) {
      throw broken ?? error;
    }
  });
}

/** To a store that the plane has named: the token is for the plane and for nobody else. */
async function uploadElsewhere(
  client: HttpClient,
  plane: PlaneAddress,
  { url, headers }: NonNullable<SourceAnswer['upload']>,
  open: () => Readable,
  bytes: number,
): Promise<void> {
  await retrying(plane, true, async () => {
    const answer = await client.send({
      method: 'PUT',
      url,
      headers: { ...headers, 'content-length': String(bytes) },
      body: open(),
      timeoutMs: 5 * 60_000,
    });
    const status = answer.statusCode ?? 0;
    const text = await readText(answer);
    if (status >= 200 && status < 300) return;
    throw new SphereError(
      status >= 500 ? 'PLANE_UNREACHABLE' : 'INFRASTRUCTURE',
      `The store of the control plane, ${new URL(url).host}, answered the upload of the source with ${status}: ${text.slice(0, 200)}`,
      { hint: 'Deploy again; if it stays so, `sphere server check` on the plane looks for the cause.' },
    );
  });
}
