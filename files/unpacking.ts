/** Writes the entries of a stranger's archive into a directory, and nothing anywhere else. */
import { createWriteStream, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadEntry } from 'tar';
import { SphereError } from '../contract/errors.ts';
import { leavesDirectory } from './links.ts';
import type { SourceLimits } from './source.ts';

/** Files up to this size are written in one call. */
const smallBytes = 1024 * 1024;

/** What has arrived of one archive. Nothing is trusted: see `unpackSource` for what is refused. */
export class Unpacking {
  readonly #directory: string;
  readonly #limits: SourceLimits;
  readonly #made = new Set<string>();
  readonly #links = new Map<string, string>();
  #entries = 0;
  #bytes = 0;
  #writes: Promise<void>[] = [];

  constructor(directory: string, limits: SourceLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  /** Takes one entry of the archive. */
  async take(entry: ReadEntry): Promise<void> {
    this.#entries += 1;
    this.#bytes += entry.size;
    if (this.#entries > this.#limits.files || this.#bytes > this.#limits.bytes) throw this.tooLarge();
    const path = entry.path.replace(/\/+$/, '');
    if (!isInner(path)) throw refused(`holds the path ${JSON.stringify(entry.path)}, which leads out of it`);
    switch (entry.type) {
      case 'Directory':
        entry.resume();
        return;
      case 'SymbolicLink':
        entry.resume();
        if (this.#links.has(path)) throw refused(`holds ${path} twice`);
        this.#links.set(path, entry.linkpath ?? '');
        return;
      case 'File':
      case 'OldFile': {
        const written = this.#write(path, entry);
        this.#writes.push(written);
        return written;
      }
      default:
        throw refused(`holds ${path}, a ${entry.type}; files, symbolic links and directories are allowed`);
    }
  }

  /** Waits for the files, then makes the links. */
  async finish(): Promise<void> {
    await Promise.all(this.#writes);
    for (const [path, target] of this.#links) {
      if (leavesDirectory(path, this.#links)) {
        throw refused(`holds the link ${path} to ${target}, which leads out of it`);
      }
    }
    for (const [path, target] of this.#links) {
      this.#makeParent(path);
      symlinkSync(target, join(this.#directory, path));
    }
  }

  tooLarge(): SphereError {
    const { files, bytes } = this.#limits;
    return new SphereError(
      'TOO_LARGE',
      `The source archive holds more than it may: ${files} files, ${Math.round(bytes / 1024 ** 2)} MB.`,
      { hint: 'List what the build does not need in .sphereignore.' },
    );
  }

  async #write(path: string, entry: ReadEntry): Promise<void> {
    const mode = ((entry.mode ?? 0) & 0o100) === 0 ? 0o644 : 0o755;
    const file = join(this.#directory, path);
    if (entry.size <= smallBytes) {
      const content = await entry.concat();
      this.#makeParent(path);
      writeFileSync(file, content, { flag: 'wx', mode });
      return;
    }
    this.#makeParent(path);
    await pipeline(Readable.from(entry), createWriteStream(file, { flags: 'wx', mode }));
  }

  #makeParent(path: string): void {
    const parent = dirname(path);
    if (this.#made.has(parent)) return;
    mkdirSync(join(this.#directory, parent), { recursive: true });
    this.#made.add(parent);
  }
}

function isInner(path: string): boolean {
  if (path.includes('\0')) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** The error for an archive that honest programs do not make. */
export function refused(what: string): SphereError {
  return new SphereError('SOURCE_REFUSED', `The source archive ${what}.`, {
    hint: 'Upload the source with `sphere deploy`.',
  });
}
