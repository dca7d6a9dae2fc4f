/** The tokens of the planes that the person has signed in to: one file, which nobody else may read. */
import { randomUUID } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SphereError } from '../contract/errors.ts';
import { fileError, withFile } from '../files/file-error.ts';
import { makeDirectory } from '../files/make-directory.ts';

/** A token, and what its plane said of it when the person signed in. */
export type Credential = {
  token: string;
  /** Null for the admin's. */
  account: string | null;
  tokenName: string | null;
  /** ISO 8601; null: it does not expire. */
  expiresAt: string | null;
};

export type Credentials = {
  version: 1;
  /** The plane that is used where nothing names another. */
  current: string | null;
  /** By the plane's address. */
  planes: Record<string, Credential>;
};

/** What is in `file`; nothing where there is none. Throws `CONFIGURATION_INVALID`. */
export function readCredentials(file: string): Credentials {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { version: 1, current: null, planes: {} };
    throw unreadable(file, error);
  }
  try {
    const { version, current, planes } = JSON.parse(text) as Credentials;
    if (version !== 1 || typeof planes !== 'object' || planes === null)
      throw new Error('it has another form');
    return { version, current: current ?? null, planes };
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, cause: unknown): SphereError {
  const what = `The file of your sign-ins, ${file},`;
  const hint = `Mend or remove ${file}, then sign in again with \`sphere login\`.`;
  return (
    fileError(cause, { what, done: 'read', code: 'CONFIGURATION_INVALID', hint }) ??
    new SphereError('CONFIGURATION_INVALID', `${what} cannot be read: ${(cause as Error).message}.`, {
      hint,
      cause,
    })
  );
}

/** Replaces `file` as a whole: whoever reads it meanwhile sees the one or the other. Throws `USAGE`, `DISK_FULL`. */
export function writeCredentials(file: string, credentials: Credentials): void {
  const directory = path.dirname(file);
  const draft = `${file}.${randomUUID()}`;
  const what = `The file of your sign-ins, ${file},`;
  const hint =
    'Set XDG_CONFIG_HOME to a directory that you may write, or use SPHERE_URL and SPHERE_TOKEN instead.';
  withFile({ what, done: 'written', hint }, () => {
    makeDirectory(directory, 0o700);
    writeFileSync(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    // The mode at creation is cut by the umask, never widened; a file system that keeps none stays as it is.
    chmodSync(draft, 0o600);
    renameSync(draft, file);
  });
}
