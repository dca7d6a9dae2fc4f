/** What a build has left may be unreadable: without permissions, or deeper than the system's paths reach. */
import { SphereError } from '../../contract/errors.ts';

const unreadable = ['EACCES', 'EPERM', 'ENAMETOOLONG', 'ELOOP'];

/** Throws OUTPUT_INVALID when `reading` fails because of what is read. */
export async function unlessUnreadable<T>(reading: () => Promise<T>): Promise<T> {
  try {
    return await reading();
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined || !unreadable.includes(code) || error instanceof SphereError) throw error;
    const named = path === undefined ? '' : ` ${path.length > 300 ? `${path.slice(0, 300)} …` : path}`;
    throw new SphereError('OUTPUT_INVALID', `What the build has left cannot be read (${code}):${named}`, {
      hint: 'Let the build leave ordinary files and directories that it may read itself.',
      cause: error,
    });
  }
}
