/**
 * Caches of builders that share no machine, as on ECS: archives that lie with the plane, fetched before a cache is read
 * and sent after it was kept. What goes wrong here costs time, and no deployment.
 */
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type KeepCache, maxCacheBytes } from '../../contract/builder-api.ts';
import { removeTree } from '../../files/remove-tree.ts';
import { uploadMissing } from '../../files/upload.ts';
import type { BuildUser } from '../command/build-user.ts';
import { toolEnvironment } from '../command/environment.ts';
import type { BuildContext } from '../context.ts';
import { AttemptStale, PlaneUnreachable } from '../plane.ts';
import { since, size } from '../wording.ts';

/** Of content, before it is packed: a build can leave a file of zeros that is larger than any disk. */
const maxContentBytes = 4 * 1024 ** 3;
/** What takes longer is not faster than to do without. */
const patienceMs = 120_000;

/**
 * Fetches the cache `name` into `directory`, which is not there yet: its content belongs to the user of the commands.
 * Does nothing where caches stay on the machine, are not to be read, or none is kept.
 */
export async function fetchCache(context: BuildContext, name: string, directory: string): Promise<void> {
  const { spec, plane, config } = context;
  if (spec.remoteCaches !== true || spec.noCache || existsSync(directory)) return;
  const unpacked = join(dirname(directory), `.${randomUUID()}`);
  await unlessItFails(context, 'fetched', async (signal) => {
    const start = performance.now();
    const archive = await plane.openCache(name);
    if (archive === null) return;
    mkdirSync(unpacked, { recursive: true });
    const user = config.buildUser;
    if (user !== null) chownSync(unpacked, user.uid, user.gid);
    const bytes = await unpack(archive, unpacked, { user, machine: config.machine, signal });
    renameSync(unpacked, directory);
    context.log.say(
      `Fetched ${describe(name)} of an earlier deployment, ${size(bytes)}, in ${since(start)}.`,
    );
  });
  await removeTree(unpacked);
}

/** Sends what is in `directory`, if there is anything, as the cache `name` for the next deployment. */
export async function sendCache(context: BuildContext, name: string, directory: string): Promise<void> {
  const { spec, plane, config, log } = context;
  if (spec.remoteCaches !== true || readdirSync(directory).length === 0) return;
  const path = join(config.workDirectory, `${name}.tar.gz`);
  await unlessItFails(context, 'kept', async (signal) => {
    const start = performance.now();
    const archive = await pack(directory, path, { machine: config.machine, signal });
    const { url, headers } = await plane.keepCache(name, archive);
    const item = { path, url, headers, bytes: archive.bytes };
    await uploadMissing([item], { concurrency: 1, signal });
    log.say(`Kept ${describe(name)} for the next deployment, ${size(archive.bytes)}, in ${since(start)}.`);
  });
  rmSync(path, { force: true });
}

const describe = (name: string) => (name.startsWith('modules-') ? 'node_modules' : "the framework's cache");

async function unlessItFails(
  { signal, log }: BuildContext,
  what: 'fetched' | 'kept',
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  try {
    await work(AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AttemptStale || error instanceof PlaneUnreachable) throw error;
    const slow = (error as Error).name === 'TimeoutError';
    const why = slow ? `it took longer than ${patienceMs / 1000} s` : (error as Error).message;
    log.say(`A cache could not be ${what}: ${why}`);
  }
}

type Packing = { machine: Record<string, string | undefined>; signal: AbortSignal };

/** By the user itself: nothing in an archive can reach what that user cannot. Returns the bytes of the archive. */
async function unpack(
  archive: Readable,
  directory: string,
  { user, machine, signal }: Packing & { user: BuildUser | null },
): Promise<number> {
  const child = spawn('tar', ['-xzf', '-', '--no-same-owner'], {
    cwd: directory,
    env: toolEnvironment(machine),
    stdio: ['pipe', 'ignore', 'pipe'],
    signal,
    ...user,
  });
  const limit = limited(maxCacheBytes);
  await Promise.all([pipeline(archive, limit.stream, child.stdin, { signal }), succeeded(child)]);
  return limit.bytes();
}

async function pack(directory: string, path: string, { machine, signal }: Packing): Promise<KeepCache> {
  const child = spawn('tar', ['-cf', '-', '.'], {
    cwd: directory,
    env: toolEnvironment(machine),
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const hash = createHash('sha256');
  const content = limited(maxContentBytes);
  const archive = limited(maxCacheBytes, (chunk) => hash.update(chunk));
  try {
    await Promise.all([
      pipeline(
        child.stdout,
        content.stream,
        // Speed counts more than size: its first level packs node_modules to a third or less.
        createGzip({ level: 1 }),
        archive.stream,
        createWriteStream(path),
        { signal },
      ),
      succeeded(child),
    ]);
  } finally {
    child.kill('SIGKILL');
  }
  return { bytes: archive.bytes(), sha256: hash.digest('hex') };
}

async function succeeded(child: ReturnType<typeof spawn>): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-1000);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`tar ended with ${code}: ${said.trim()}`);
}

/** Passes on what comes, up to `most` bytes, and tells `seen` of each chunk. */
function limited(most: number, seen: (chunk: Buffer) => void = () => {}) {
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      seen(chunk);
      done(bytes > most ? new Error(`it is larger than ${size(most)}`) : null, chunk);
    },
  });
  return { stream, bytes: () => bytes };
}
