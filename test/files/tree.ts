/** Makes literal file trees in temporary directories for the tests of this area. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

export const link = (target: string) => ({ link: target });
export const executable = (content: string) => ({ executable: content });
export type Tree = Record<string, string | Buffer | { link: string } | { executable: string }>;

/** An empty directory that goes away with the test. */
export function emptyDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'sphere-test-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A directory that holds `tree` and goes away with the test. */
export function tree(files: Tree): string {
  const directory = emptyDirectory();
  writeTree(directory, files);
  return directory;
}

export function writeTree(directory: string, files: Tree): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    if (typeof content === 'string' || Buffer.isBuffer(content)) writeFileSync(file, content);
    else if ('link' in content) symlinkSync(content.link, file);
    else {
      writeFileSync(file, content.executable);
      chmodSync(file, 0o755);
    }
  }
}
