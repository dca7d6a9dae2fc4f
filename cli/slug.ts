/** Slugs made from names that people gave for other purposes. Pure. */
import { plainLabel } from '../contract/preview.ts';
import { reservedSlugs, slugPattern } from '../contract/words.ts';

/**
 * The slug that `name` suggests: a package's name (its scope is dropped), a repository URL or a directory's name.
 * Null when nothing of it can be in a slug.
 */
export function slugify(name: string): string | null {
  const last = name
    .replace(/[/\\]+$/, '')
    .split(/[/\\:]/)
    .at(-1)
    ?.replace(/\.git$/, '');
  const plain = plainLabel(last ?? '');
  if (plain === '') return null;
  // Host names of the plane, and names below the shortest that S3 allows.
  const long = plain.length < 3 || reservedSlugs.includes(plain) ? `${plain}-site` : plain;
  const cut = long.slice(0, 63).replace(/-+$/, '');
  return slugPattern.test(cut) ? cut : null;
}

/** What is wrong with a slug that a person typed, or null. */
export function slugProblem(slug: string): string | null {
  if (reservedSlugs.includes(slug)) return `"${slug}" is reserved`;
  if (slugPattern.test(slug)) return null;
  const suggestion = slugify(slug);
  return `"${slug}" is not a slug: 3 to 63 of a-z, 0-9 and single inner hyphens${
    suggestion ? `, such as "${suggestion}"` : ''
  }`;
}
