/** The digest of a source: one SHA-256 over its paths, modes, links and contents. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileError } from './file-error.ts';
import { hashFiles } from './hash.ts';
import { listSource, listTree, type SourceEntry } from './source.ts';

/** What of an entry goes into the digest. `sha256` is null for a link. */
export type DigestEntry = { path: string; executable: boolean; target?: string; sha256: string | null };

/** The digest of `entries`, in whatever order they come. One JSON array per entry, so no two sources read alike. */
export function digestEntries(entries: readonly DigestEntry[]): string {
  const digest = createHash('sha256');
  for (const entry of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const mode = entry.executable ? 1 : 0;
    digest.update(`${JSON.stringify([entry.path, mode, entry.target ?? null, entry.sha256])}\n`);
  }
  return digest.digest('hex');
}

export type SourceDigest = {
  digest: string;
  /** Sum of the files' sizes. */
  bytes: number;
  entries: (SourceEntry & DigestEntry)[];
};

/** Lists and hashes what an upload of `directory` holds. Throws as `listSource`, SOURCE_REFUSED for a file that cannot be read. */
export async function digestSource(directory: string): Promise<SourceDigest> {
  return digestOf(
    directory,
    await listSource(directory),
    'Make it readable for you, or list it in .sphereignore.',
  );
}

/** Lists and hashes everything in `directory`, without ignore rules: equals the digest of the source unpacked there. */
export async function digestTree(directory: string): Promise<SourceDigest> {
  return digestOf(directory, await listTree(directory), 'Make it readable for you, or take it away.');
}

async function digestOf(directory: string, listed: SourceEntry[], hint: string): Promise<SourceDigest> {
  const files = listed.filter((entry) => entry.kind === 'file');
  const hashes = await hashFiles(files.map((file) => join(directory, file.path))).catch((error: unknown) => {
    throw fileError(error, { done: 'read', code: 'SOURCE_REFUSED', hint }) ?? error;
  });
  const hashOf = new Map(files.map((file, index) => [file.path, hashes[index]]));
  const entries = listed.map((entry) => {
    const hashed = hashOf.get(entry.path);
    return { ...entry, bytes: hashed?.bytes ?? 0, sha256: hashed?.blob ?? null };
  });
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  return { digest: digestEntries(entries), bytes, entries };
}
