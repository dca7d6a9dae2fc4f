/** `.sphere/project.json`: which plane and which project a directory belongs to, for the person who works there. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SphereError } from '../contract/errors.ts';
import { fileError, withFile } from '../files/file-error.ts';
import { makeDirectory } from '../files/make-directory.ts';
import { slugProblem } from './slug.ts';

export const linkName = '.sphere/project.json';

/** The plane of a link to the one on this machine. */
export const LOCAL_PLANE = 'local';

export type Link = {
  /** A plane's address, or `local`. */
  plane: string;
  slug: string;
};

/** The link of `directory`, or null. Throws `CONFIGURATION_INVALID`. */
export function readLink(directory: string): Link | null {
  let text: string;
  try {
    text = readFileSync(path.join(directory, linkName), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw fileError(error, { done: 'read', code: 'CONFIGURATION_INVALID' }) ?? error;
  }
  const link = parseLink(text);
  if (link) return link;
  throw new SphereError('CONFIGURATION_INVALID', `${linkName} does not name a plane and a project.`, {
    hint: 'Link the directory again: `sphere link`, or remove the link: `sphere unlink`.',
  });
}

function parseLink(text: string): Link | null {
  try {
    const { plane, slug } = JSON.parse(text) as Record<string, unknown>;
    if (typeof plane !== 'string' || typeof slug !== 'string' || slugProblem(slug) !== null) return null;
    return plane === LOCAL_PLANE || URL.canParse(plane) ? { plane, slug } : null;
  } catch {
    return null;
  }
}

/** Links `directory`. Git is told to leave the link out: it is this person's, and no part of the project. Throws `USAGE`. */
export function writeLink(directory: string, link: Link): string {
  const file = path.join(directory, linkName);
  const folder = path.dirname(file);
  const what = `The link of ${directory}, ${linkName},`;
  withFile({ what, done: 'written', hint: 'Link a directory that you may write to.' }, () => {
    makeDirectory(folder);
    const ignore = path.join(folder, '.gitignore');
    if (!existsSync(ignore)) writeFileSync(ignore, '*\n');
    writeFileSync(file, `${JSON.stringify(link, null, 2)}\n`);
  });
  return file;
}

/** Removes the link, and the folder where nothing else is in it. False when there was none. */
export function removeLink(directory: string): boolean {
  const file = path.join(directory, linkName);
  if (!existsSync(file)) return false;
  rmSync(file);
  const folder = path.dirname(file);
  if (readdirSync(folder).every((name) => name === '.gitignore')) {
    rmSync(path.join(folder, '.gitignore'), { force: true });
    rmdirSync(folder);
  }
  return true;
}
