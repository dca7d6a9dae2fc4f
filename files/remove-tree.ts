/** Removes what other people's programs have made, whatever they have done to keep it. */
import { execFile } from 'node:child_process';
import { lstat, rm } from 'node:fs/promises';

/**
 * Removes `path` and all below it; resolves when it is not there. Node's own removal stops at directories that may not be
 * written to and at paths longer than the system takes (4096 bytes on Linux), both of which any build can make.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    await run('chmod', '-R', 'u+rwX', path);
    await run('rm', '-rf', path);
    if (await exists(path)) throw error;
  }
}

/** Whatever it comes to is seen by what is left. */
function run(program: string, ...args: string[]): Promise<void> {
  return new Promise((resolve) => {
    execFile(program, args, { maxBuffer: Number.POSITIVE_INFINITY }, () => resolve());
  });
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
