/** Checks a builder's manifest. */
import { setImmediate } from 'node:timers/promises';
import { SphereError } from '../contract/errors.ts';
import {
  isSitePath,
  type Manifest,
  manifestSchema,
  outputLimits,
  sha256Pattern,
} from '../contract/manifest.ts';
import { parse } from './routes/mount.ts';

/** Files that are checked without a break: less than a millisecond. */
const slice = 1_000;

/**
 * `body` as `manifestSchema` has it, with breaks: in one go, 50,000 files would hold up all others for a third of a second.
 * Throws `OUTPUT_INVALID` for too many files, `REQUEST_INVALID` for all else.
 */
export async function checkManifest(body: unknown): Promise<Manifest> {
  const { files, ...rest } = (body ?? {}) as { files?: unknown };
  if (typeof files !== 'object' || files === null || Array.isArray(files)) return parse(manifestSchema, body);
  const paths = Object.keys(files);
  if (paths.length > outputLimits.files) {
    throw new SphereError('OUTPUT_INVALID', `the output has ${paths.length} files`, {
      hint: `At most ${outputLimits.files} are taken.`,
    });
  }
  const { version, serving } = parse(manifestSchema, { ...rest, files: {} });
  const known = files as Record<string, unknown>;
  for (const [n, path] of paths.entries()) {
    if (n % slice === slice - 1) await setImmediate();
    if (!isSitePath(path)) {
      const shown = JSON.stringify(path.slice(0, 200));
      throw new SphereError('REQUEST_INVALID', `files: ${shown} is not a path inside the site`);
    }
    // What is wrong is said by the schema.
    if (!isFile(known[path])) parse(manifestSchema, { ...rest, files: { [path]: known[path] } });
  }
  return { version, files: known as Manifest['files'], serving };
}

function isFile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { blob, bytes } = value as Record<string, unknown>;
  return (
    Object.keys(value).length === 2 &&
    typeof blob === 'string' &&
    sha256Pattern.test(blob) &&
    Number.isSafeInteger(bytes) &&
    (bytes as number) >= 0
  );
}
