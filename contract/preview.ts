/** The names of previews, and how a preview's site is told from its project's: by its label. Pure. */
import { LIVE } from './words.ts';

/** A DNS label has no more characters, and neither has the name of a bucket. */
export const longestLabel = 63;

/** A preview's name: `a-z`, `0-9` and single inner hyphens, because `--` separates it from the slug. */
export const previewPattern = /^(?=.{1,58}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** `live` is no preview; the others would end the name of a bucket as S3 keeps for itself (T6). */
const reservedNames: readonly string[] = [LIVE, 'ol-s3', 'x-s3', 'table-s3'];

/** For how many days a preview is kept after its last deployment, where nothing else is said. */
export const previewDays = { default: 14, least: 1, most: 90 } as const;

const separator = '--';
const hashLength = 7;
/** Below this the beginning of a name that was cut says nothing. */
const shortestCut = 3;

/** What host names and buckets call a site: its project's slug, for a preview `<slug>--<name>`. */
export function siteLabel({ slug, target }: { slug: string; target: string }): string {
  return target === LIVE ? slug : `${slug}${separator}${target}`;
}

/** The slug and the target that `label` stands for. Null for what no site is called. */
export function parseSiteLabel(label: string): { slug: string; target: string } | null {
  const at = label.indexOf(separator);
  if (at === -1) return { slug: label, target: LIVE };
  const [slug, target] = [label.slice(0, at), label.slice(at + separator.length)];
  return previewPattern.test(target) && target !== LIVE ? { slug, target } : null;
}

/** What is wrong with `name` as a preview of the project `slug`, or null. */
export function previewProblem(name: string, slug: string): string | null {
  if (!previewPattern.test(name)) return 'is not 1 to 58 of a-z, 0-9 and single inner hyphens';
  if (reservedNames.includes(name)) return 'is reserved';
  const room = roomFor(slug);
  return name.length > room ? `is too long: beside the slug "${slug}" there is room for ${room}` : null;
}

/**
 * The name of the preview of `slug` that `text` (a branch, mostly) stands for, always the same: `Feature/X_1` becomes
 * `feature-x-1`. What is too long is cut and told apart by a hash. Null where the slug leaves no room for it.
 */
export function previewName(text: string, slug: string): string | null {
  const plain = plainLabel(text) || `preview-${hashOf(text)}`;
  const name = reservedNames.includes(plain) ? `${plain}-preview` : plain;
  const room = roomFor(slug);
  if (name.length <= room) return name;
  const cut = room - hashLength - 1;
  return cut < shortestCut ? null : `${name.slice(0, cut).replace(/-+$/, '')}-${hashOf(text)}`;
}

/** `text` in `a-z`, `0-9` and single inner hyphens; empty when nothing of it can be said so. */
export function plainLabel(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
}

function roomFor(slug: string): number {
  return longestLabel - slug.length - separator.length;
}

/** FNV-1a, 32 bits: it tells names apart and protects nothing. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(36).padStart(hashLength, '0');
}
