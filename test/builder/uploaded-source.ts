/** A recording plane that has a source for a builder, as the CLI uploads it, and what was published of it. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { onTestFinished } from 'vitest';
import { packSource } from '../../files/archive.ts';
import { digestSource } from '../../files/digest.ts';
import { emptyDirectory, type Tree, tree } from '../files/tree.ts';
import { deployment, type PlaneOptions, type RecordingPlane, startPlane } from './recording-plane.ts';

/** Starts a plane that ends with the test. */
export async function openPlane(options: PlaneOptions): Promise<RecordingPlane> {
  const plane = await startPlane(options);
  onTestFinished(() => plane.close());
  return plane;
}

/** An upload of `files`, as the CLI makes it. */
export async function upload(files: Tree): Promise<PlaneOptions> {
  const directory = tree(files);
  const sourceFile = join(emptyDirectory(), 'source.tar.gz');
  const { digest, entries } = await digestSource(directory);
  await pipeline(packSource(directory, entries), createWriteStream(sourceFile));
  const sourceUrl = `/v1/builds/${deployment}/1/source`;
  return { spec: { source: { kind: 'upload', digest }, sourceUrl }, sourceFile };
}

/** A source that is built by `command`, which leaves the site in `out`. */
export const script = (command: string, more: Tree = {}): Tree => ({
  'sphere.json': JSON.stringify({ buildCommand: command, outputDirectory: 'out' }),
  ...more,
});

/** The text of one file that was published. */
export const published = (plane: RecordingPlane, path: string): string | undefined =>
  plane.blobs.get(plane.manifest?.files[path]?.blob ?? '')?.toString();

/** All that was published, by path. */
export const allPublished = (plane: RecordingPlane): Record<string, string | undefined> =>
  Object.fromEntries(Object.keys(plane.manifest?.files ?? {}).map((path) => [path, published(plane, path)]));
