/** An artifact store in a temporary directory, which can be sent away for a while. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ArtifactStore } from '../../server/ports.ts';

export type TestArtifacts = ArtifactStore & {
  /** While true, every call fails. */
  away: boolean;
  /** Awaited before a `put` takes place. */
  beforePut: (key: string) => Promise<void>;
  /** Every key that was put, in order. */
  puts: string[];
  clear(): Promise<void>;
};

export async function openArtifacts(): Promise<TestArtifacts> {
  const directory = await mkdtemp(join(tmpdir(), 'sphere-artifacts-'));
  let part = 0;
  const store: TestArtifacts = {
    away: false,
    beforePut: async () => {},
    puts: [],
    async put(key, content) {
      await store.beforePut(key);
      present();
      const path = join(directory, key);
      const made = join(directory, `.part-${part++}`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(made, content);
      await rename(made, path);
      store.puts.push(key);
    },
    async get(key) {
      present();
      return readFile(join(directory, key)).catch(absent);
    },
    async list(prefix) {
      present();
      const entries = await readdir(directory, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'));
      const keys = files.map((file) => join(file.parentPath, file.name).slice(directory.length + 1));
      const found = keys.filter((key) => key.startsWith(prefix)).sort();
      return Promise.all(
        found.map(async (key) => {
          const { size, mtime } = await stat(join(directory, key));
          return { key, bytes: size, modifiedAt: mtime };
        }),
      );
    },
    async remove(keys) {
      present();
      for (const key of keys) await rm(join(directory, key), { force: true });
    },
    clear: () => rm(directory, { recursive: true, force: true }),
  };
  const present = () => {
    if (store.away) throw new Error('the artifact store is away');
  };
  return store;
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
