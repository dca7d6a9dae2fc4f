/** Collects a built site: what of a directory is published, and what is left out or refused. */
import { readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { SphereError } from '../contract/errors.ts';
import { type ManifestFile, sitePathSchema } from '../contract/manifest.ts';
import { hashFiles } from './hash.ts';

export type OutputLimits = {
  files: number;
  bytes: number;
  fileBytes: number;
  /** The only user whose files are taken: a hard link to another's would publish what only the reader may read. */
  owner?: number;
};

export type CollectedOutput = {
  /** Site path -> blob and size, sorted by path. Empty when the directory holds nothing to publish. */
  files: Record<string, ManifestFile>;
  /** What was left out, sorted; a directory ends in `/`. */
  leftOut: string[];
  /** Sentences for the person who deploys. */
  warnings: string[];
  /** Sum of the files' sizes. */
  bytes: number;
};

/**
 * Collects `directory`, a built site. Dotfiles other than `.well-known` are left out, and so is `node_modules` beside a
 * `package.json` at the top (a site without a build), and files with private keys, with a warning. Links are followed while they stay inside.
 *
 * Throws OUTPUT_INVALID when there is no such directory, for a link that leads out of it or nowhere, for another user's file, for a name that no
 * address can have, and beyond `limits`.
 */
export async function collectOutput(directory: string, limits: OutputLimits): Promise<CollectedOutput> {
  const { paths, leftOut, keys } = await listOutput(directory, limits);
  const hashed = await hashFiles(paths.map((path) => join(directory, path)));
  const files = Object.fromEntries(paths.map((path, index) => [path, hashed[index] as ManifestFile]));
  const bytes = hashed.reduce((sum, file) => sum + file.bytes, 0);
  return { files, leftOut, warnings: [...keys.map(keyWarning), ...warningsFor(paths)], bytes };
}

type Listed = { paths: string[]; leftOut: string[]; keys: string[] };

async function listOutput(directory: string, limits: OutputLimits): Promise<Listed> {
  const root = realRoot(directory);
  const listed: Listed = { paths: [], leftOut: [], keys: [] };
  let bytes = 0;

  const walk = async (at: string, above: readonly string[]): Promise<void> => {
    const found = await readdir(join(root, at), { withFileTypes: true });
    const withPackage = at === '' && found.some((item) => item.name === 'package.json');
    for (const item of found) {
      const path = `${at}${item.name}`;
      if (isLeftOut(item.name, withPackage)) {
        listed.leftOut.push(item.isDirectory() ? `${path}/` : path);
        continue;
      }
      const real = item.isSymbolicLink() ? followLink(root, path) : join(root, path);
      const stats = statOf(real, path);
      if (stats.isDirectory()) {
        // A link to a directory above it would go round for ever.
        if (above.includes(real)) throw linkRefused(root, path, 'a directory that holds it');
        await walk(`${path}/`, [...above, real]);
      } else if (stats.isFile()) {
        refuseForeign(limits, path, stats);
        if (await isPrivateKey(real, item.name, stats.size)) {
          listed.leftOut.push(path);
          listed.keys.push(path);
          continue;
        }
        refusePath(path);
        listed.paths.push(path);
        bytes += stats.size;
        refuseBeyond(limits, { path, fileBytes: stats.size, files: listed.paths.length, bytes });
      } else {
        listed.leftOut.push(path);
      }
    }
  };
  await walk('', [root]);
  listed.paths.sort();
  listed.leftOut.sort();
  return listed;
}

function realRoot(directory: string): string {
  try {
    const root = realpathSync(resolve(directory));
    if (statSync(root).isDirectory()) return root;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  throw invalid(
    `There is no directory ${directory}.`,
    'Set "outputDirectory" to where the build leaves the site.',
  );
}

function isLeftOut(name: string, withPackage: boolean): boolean {
  if (name === 'node_modules') return withPackage;
  return name.startsWith('.') && name !== '.well-known';
}

/** Keys are small, and called so. */
const keyNames = /^id_(?:rsa|dsa|ecdsa|ed25519)|\.(?:pem|key)$/i;
const mostKeyBytes = 64 * 1024;

/** Whether the file at `real` holds a private key: nobody publishes one on purpose. */
async function isPrivateKey(real: string, name: string, bytes: number): Promise<boolean> {
  if (!keyNames.test(name) || bytes > mostKeyBytes) return false;
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(await readFile(real, 'latin1'));
}

const keyWarning = (path: string) => `${path} holds a private key, and was left out.`;

function followLink(root: string, path: string): string {
  let real: string;
  try {
    real = realpathSync(join(root, path));
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw linkRefused(root, path, 'where nothing is');
  }
  if (real !== root && !real.startsWith(root + sep))
    throw linkRefused(root, path, 'outside the output directory');
  return real;
}

function statOf(real: string, path: string): Stats {
  try {
    return statSync(real);
  } catch (error) {
    // Node replaces what is not UTF-8 in a name, and then nothing has that name.
    if (path.includes('\uFFFD')) throw pathRefused(path);
    throw error;
  }
}

function refusePath(path: string): void {
  if (!sitePathSchema.safeParse(path).success) throw pathRefused(path);
}

/** Where the system lets users link to files that are not theirs (`fs.protected_hardlinks` is 0). */
function refuseForeign({ owner }: OutputLimits, path: string, { uid }: Stats): void {
  if (owner === undefined || uid === owner) return;
  throw invalid(`${path} belongs to another user than the build.`, 'Let the build copy what it links to.');
}

function refuseBeyond(
  limits: OutputLimits,
  seen: { path: string; fileBytes: number; files: number; bytes: number },
): void {
  const hint = 'Publish less, or set "outputDirectory" to the directory that holds the site alone.';
  if (seen.fileBytes > limits.fileBytes) {
    throw invalid(
      `${seen.path} has ${megabytes(seen.fileBytes)}; a file may have ${megabytes(limits.fileBytes)}.`,
      hint,
    );
  }
  if (seen.files > limits.files)
    throw invalid(`The output has more than ${limits.files} files, the most.`, hint);
  if (seen.bytes > limits.bytes) {
    throw invalid(`The output has more than ${megabytes(limits.bytes)}, the most.`, hint);
  }
}

function warningsFor(paths: readonly string[]): string[] {
  const warnings: string[] = [];
  if (paths.length > 0 && !paths.includes('index.html')) {
    warnings.push('There is no index.html at the top: the site answers 404 at "/".');
  }
  const maps = paths.filter((path) => path.endsWith('.map'));
  if (maps.length > 0) {
    warnings.push(
      maps.length === 1
        ? `A source map is published, and shows the source to everybody: ${maps[0]}`
        : `${maps.length} source maps are published, and show the source to everybody: ${maps[0]} and others`,
    );
  }
  return warnings;
}

function linkRefused(root: string, path: string, where: string): SphereError {
  return invalid(
    `The link ${path} points to ${readlinkSync(join(root, path))}, ${where}.`,
    'Let the build copy what it points to.',
  );
}

function pathRefused(path: string): SphereError {
  return invalid(
    `${JSON.stringify(path)} cannot be published: its path is too long, not UTF-8, or holds a backslash or a control character.`,
    'Rename it.',
  );
}

function invalid(message: string, hint: string): SphereError {
  return new SphereError('OUTPUT_INVALID', message, { hint });
}

function megabytes(bytes: number): string {
  const size = bytes / 1024 ** 2;
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} MB`;
}
