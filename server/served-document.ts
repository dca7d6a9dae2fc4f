/** Looks at a site that has just been published: is the document that is served the one of the manifest? */
import { createHash } from 'node:crypto';
import { get } from 'node:http';
import type { Manifest } from '../contract/manifest.ts';
import { documentToCheck } from './publication-plan.ts';

export type Seen = { outcome: 'same' } | { outcome: 'mismatch' | 'unreachable'; message: string };

/** How long the site may take to answer, in milliseconds. */
const patienceMs = 10_000;

/**
 * Compares what `address` serves with `manifest`. Not reaching it is not a mismatch: the plane may sit elsewhere. A
 * redirect is the site's own rule for this path: there is no document to compare.
 */
export async function checkServed(address: string, manifest: Manifest): Promise<Seen> {
  const document = documentToCheck(manifest);
  if (!document) return { outcome: 'same' };
  const url = new URL(document.path, address);
  try {
    const { status, sha256 } = await fetchDigest(url);
    if ((status >= 300 && status < 400) || sha256 === document.blob) return { outcome: 'same' };
    return {
      outcome: 'mismatch',
      message: `${url} answered ${status} with another document than was published`,
    };
  } catch (error) {
    return { outcome: 'unreachable', message: `${url} could not be checked: ${(error as Error).message}` };
  }
}

/** By node:http: the first request of the built-in `fetch` costs a publication a tenth of a second. */
function fetchDigest(url: URL): Promise<{ status: number; sha256: string }> {
  return new Promise((resolve, reject) => {
    // `localhost` names this machine (RFC 6761, 6.3), which not every resolver knows.
    const local = url.hostname.endsWith('.localhost') ? { hostname: '127.0.0.1' } : {};
    const headers = { host: url.host, 'accept-encoding': 'identity' };
    const request = get(url, { ...local, headers, agent: false }, (response) => {
      const hash = createHash('sha256');
      response
        .on('data', (chunk: Buffer) => hash.update(chunk))
        .on('end', () => resolve({ status: response.statusCode ?? 0, sha256: hash.digest('hex') }))
        .on('error', reject);
    });
    request.setTimeout(patienceMs, () =>
      request.destroy(new Error(`no answer within ${patienceMs / 1000} s`)),
    );
    request.on('error', reject);
  });
}
