/** The manifest: what a deployment publishes. */
import { z } from 'zod';
import { servingSchema } from './configuration.ts';

export const sha256Pattern = /^[0-9a-f]{64}$/;

/** A path in a site: relative, `/` between parts, no empty, `.` or `..` part, no control character or backslash. */
export const sitePathSchema = z
  .string()
  .min(1)
  .max(1024)
  .refine(isSitePath, { message: 'is not a path inside the site' });

/** Whether `path` is as `sitePathSchema` has it. */
export function isSitePath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return false;
  // The longest key of S3 (1,024 bytes), and the longest name of a file of every system that we know.
  if (!fits(path, 1024)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && fits(part, 255));
}

/** Whether `text` has at most `most` bytes; of most texts the number of units says so. */
function fits(text: string, most: number): boolean {
  return text.length * 3 <= most || new TextEncoder().encode(text).length <= most;
}

/**
 * Two of `paths` that look the same, because they differ only in how Unicode composes a letter; null when there are none.
 * A browser asks for one of the two, and nobody can say for which. Paths that differ in case are two paths, as on every
 * web server.
 */
export function lookAlikePaths(paths: Iterable<string>): [string, string] | null {
  const seen = new Map<string, string>();
  for (const path of paths) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is plain ASCII is composed
    if (/^[\u0000-\u007f]*$/.test(path)) continue;
    const composed = path.normalize('NFC');
    const other = seen.get(composed);
    if (other !== undefined) return [other, path];
    seen.set(composed, path);
  }
  return null;
}

export const manifestFileSchema = z.strictObject({
  blob: z.string().regex(sha256Pattern),
  bytes: z.number().int().nonnegative(),
});
export type ManifestFile = z.infer<typeof manifestFileSchema>;

export const manifestSchema = z.strictObject({
  version: z.literal(1),
  files: z.record(sitePathSchema, manifestFileSchema),
  serving: servingSchema,
});
/** Paths (without a leading `/`) to blobs, and how they are served. */
export type Manifest = z.infer<typeof manifestSchema>;

/** The most files and bytes of one deployment's output. */
export const outputLimits = { files: 50_000, bytes: 2 * 1024 ** 3, fileBytes: 512 * 1024 ** 2 } as const;
