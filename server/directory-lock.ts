/**
 * One plane per data directory, by a lock that a `kill -9` does not leave behind.
 *
 * The lock is a row of files `lock.N`, each naming a process. The holder is the highest number whose process runs.
 * Whoever finds that the highest one's process is gone creates the next number, which only one can (O_EXCL), and then
 * looks again: if a higher one has appeared meanwhile, it was late and steps back. Files are removed only by the
 * holder of a higher number, so that no slow starter can remove a fresh lock in the belief that it is a stale one.
 */
import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning, ownIdentity, type ProcessIdentity } from './process-identity.ts';

export type DirectoryLock = { release(): Promise<void> };

/** Takes the lock of `directory`, or answers with the process that has it. */
export async function lockDirectory(directory: string): Promise<DirectoryLock | { heldBy: ProcessIdentity }> {
  const own = await ownIdentity();
  const draft = join(directory, `lock-draft-${own.pid}`);
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    for (;;) {
      const highest = await highestLock(directory);
      const holder = highest === 0 ? null : await readHolder(directory, highest);
      if (holder && (await isRunning(holder))) return { heldBy: holder };
      const number = highest + 1;
      if (!(await create(draft, lockPath(directory, number)))) continue;
      if ((await highestLock(directory)) === number) {
        await removeBelow(directory, number);
        return { release: () => markReleased(directory, number) };
      }
      await rm(lockPath(directory, number), { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

const lockPath = (directory: string, number: number) => join(directory, `lock.${number}`);

async function lockNumbers(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => (/^lock\.\d+$/.test(name) ? [Number(name.slice(5))] : []));
}

const highestLock = async (directory: string) => Math.max(0, ...(await lockNumbers(directory)));

/** A link appears with its whole content, unlike a file that is created and then written. */
async function create(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(directory: string, number: number): Promise<ProcessIdentity | null> {
  try {
    return JSON.parse(await readFile(lockPath(directory, number), 'utf8')) as ProcessIdentity;
  } catch {
    return null;
  }
}

/** No process has the pid 0. */
async function markReleased(directory: string, number: number): Promise<void> {
  const draft = join(directory, `lock-released-${number}`);
  await writeFile(draft, JSON.stringify({ pid: 0, startedAt: 'released' }), { mode: 0o600 });
  await rename(draft, lockPath(directory, number));
}

async function removeBelow(directory: string, number: number): Promise<void> {
  for (const lower of await lockNumbers(directory)) {
    if (lower < number) await rm(lockPath(directory, lower), { force: true });
  }
}
