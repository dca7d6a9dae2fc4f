/** The embedded plane's data directory: what lies where, its key, and what is remembered between two starts. */
import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PlaneFile, planeFile } from '../contract/embedded.ts';
import { SphereError } from '../contract/errors.ts';

/** The paths below `home`. */
export function dataPaths(home: string) {
  return {
    database: join(home, 'database'),
    backups: join(home, 'backups'),
    logs: join(home, 'logs'),
    sites: join(home, 'sites'),
    compressed: join(home, 'compressed'),
    builds: join(home, 'builds'),
    cache: join(home, 'cache'),
  };
}

/** The plane's key: 32 random bytes that are drawn once. */
export async function readKey(home: string): Promise<Buffer> {
  const path = join(home, 'key');
  const key = await readKeyFile(path);
  if (key !== null) return key;
  const draft = `${path}.draft`;
  await writeFile(draft, randomBytes(32).toString('hex'), { mode: 0o600, flush: true });
  await link(draft, path);
  await rm(draft);
  return readKey(home);
}

/** Null when there is no such file. */
async function readKeyFile(path: string): Promise<Buffer | null> {
  try {
    const key = Buffer.from((await readFile(path, 'utf8')).trim(), 'hex');
    // A short key would make tokens that can be guessed.
    if (key.length === 32) return key;
    throw new SphereError('CONFIGURATION_INVALID', `the key of the plane, ${path}, is damaged`, {
      hint: 'Put it back from a backup, or remove it: the plane then draws a new one.',
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return null;
  }
}

/** The key before the plane's key, until all is sealed anew that it has sealed; else null. */
export async function readPreviousKey(home: string): Promise<Buffer | null> {
  return readKeyFile(join(home, 'key.previous'));
}

/** Draws another key. The one until now is the previous one, from before the new one counts. */
export async function replaceKey(home: string): Promise<void> {
  const path = join(home, 'key');
  await writeFile(`${path}.draft`, (await readKey(home)).toString('hex'), { mode: 0o600, flush: true });
  await rename(`${path}.draft`, `${path}.previous`);
  await writeFile(`${path}.draft`, randomBytes(32).toString('hex'), { mode: 0o600, flush: true });
  await rename(`${path}.draft`, path);
}

/** Nothing is sealed with the previous key any more. */
export async function forgetPreviousKey(home: string): Promise<void> {
  await rm(join(home, 'key.previous'), { force: true });
}

/** The port that the plane had last, so that addresses stay what they were. */
export async function readPort(home: string): Promise<number | null> {
  const port = Number(await readFile(join(home, 'port'), 'utf8').catch(() => ''));
  return Number.isInteger(port) && port > 0 ? port : null;
}

/** Remembers the port. */
export async function writePort(home: string, port: number): Promise<void> {
  await writeFile(join(home, 'port'), String(port), { mode: 0o600 });
}

/** Says where the plane answers; in one rename, because others read it at any time. */
export async function writePlaneFile(home: string, content: PlaneFile): Promise<void> {
  const path = join(home, planeFile);
  await writeFile(`${path}.draft`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${path}.draft`, path);
}

/** The plane answers no more. */
export async function removePlaneFile(home: string): Promise<void> {
  await rm(join(home, planeFile), { force: true });
}
