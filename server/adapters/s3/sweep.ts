/**
 * Frees blobs and manifests that nothing refers to, by mark and sweep in two runs: the first only notes what it would
 * free, and from then on a build that asks is told that this content is missing and sends it again. A later run frees
 * what is still of no use. So nothing goes that a build was promised.
 */
import { z } from 'zod';
import type { Manifest } from '../../../contract/manifest.ts';
import { forEachBounded } from '../../../files/bounded.ts';
import type { ArtifactStore } from '../../ports.ts';
import { type ArtifactBuckets, artifactKeys, createArtifactBuckets } from './artifact-bucket.ts';
import { artifactStore, deletePage } from './artifacts.ts';
import type { IsLeaving } from './blobs.ts';
import { createS3 } from './client.ts';
import { deploymentsOf, readFootprint } from './footprint.ts';
import type { S3Options } from './options.ts';

const noteSchema = z.object({
  /** When it was written, in milliseconds. */
  at: z.number(),
  /** The blobs were last written before this, in milliseconds: one that is younger was sent again and stays. */
  before: z.number().default(0),
  blobs: z.array(z.string()),
});
type SweepNote = z.infer<typeof noteSchema>;

export type SweepRequest = {
  /** The project's id. */
  project: string;
  region: string;
  /** The deployments whose manifests and blobs stay. Those that are not ended must be among them. */
  kept: ReadonlySet<string>;
  /** The longest build in milliseconds: nothing younger is freed. */
  longestBuildMs: number;
  now: number;
};

export type SweepFigures = { freedBytes: number; manifests: number; blobs: number; noted: number };

/** Sweeps one project of one region. To be called every few hours; safe to run twice at once, and to be cut off. */
export type S3Sweep = (request: SweepRequest) => Promise<SweepFigures>;

export function createS3Sweep(options: S3Options): S3Sweep {
  const s3 = createS3(options);
  const buckets: ArtifactBuckets = createArtifactBuckets(s3);
  return (request) => sweepProject(artifactStore(s3, buckets, request.region), request);
}

async function sweepProject(artifacts: ArtifactStore, request: SweepRequest): Promise<SweepFigures> {
  const { project, now } = request;
  const before = now - request.longestBuildMs;
  const noted = await readSweepNote(artifacts, project);
  // Blobs are listed before manifests: what comes in between is young, and what refers to it is seen.
  const blobs = await artifacts.list(artifactKeys.blobs(project));
  const manifests = await freeManifests(artifacts, request, before);
  const known = new Set(manifests.stay);
  const marked = await markBlobs(artifacts, manifests.stay);

  const useless = blobs
    .map(({ key, bytes, modifiedAt }) => ({
      key,
      bytes,
      modifiedAt,
      blob: key.slice(key.lastIndexOf('/') + 1),
    }))
    .filter(({ blob, modifiedAt }) => !marked.has(blob) && modifiedAt.getTime() < before);
  const due = noted !== null && noted.at <= before;
  const isLeaving = leavingBy(due ? noted : null);
  const ripe = useless.filter(({ blob, modifiedAt }) => isLeaving(blob, modifiedAt));
  const freed = new Set<(typeof ripe)[number]>();
  for (let start = 0; start < ripe.length; start += deletePage) {
    // A build that came meanwhile and sends this content again has put its manifest first.
    await markNew(artifacts, project, known, marked);
    const page = ripe.slice(start, start + deletePage).filter(({ blob }) => !marked.has(blob));
    await artifacts.remove(page.map(({ key }) => key));
    for (const entry of page) freed.add(entry);
  }

  const next = useless.filter((entry) => !freed.has(entry)).map(({ blob }) => blob);
  // A note that is not due yet stays: written anew each time, it would never be.
  if (noted === null || due)
    await writeSweepNote(artifacts, project, { at: now, before, blobs: next }, noted !== null);
  const freedBytes = [...freed].reduce((sum, { bytes }) => sum + bytes, manifests.freedBytes);
  return { freedBytes, manifests: manifests.freed, blobs: freed.size, noted: next.length };
}

/** Which blobs are about to be freed: those that were noted and have not been sent again since. */
export async function leavingBlobs(artifacts: ArtifactStore, project: string): Promise<IsLeaving> {
  return leavingBy(await readSweepNote(artifacts, project));
}

function leavingBy(note: SweepNote | null): IsLeaving {
  const blobs = new Set(note?.blobs ?? []);
  return (blob, modifiedAt) => blobs.has(blob) && modifiedAt.getTime() < (note?.before ?? 0);
}

async function readSweepNote(artifacts: ArtifactStore, project: string): Promise<SweepNote | null> {
  const content = await artifacts.get(artifactKeys.sweep(project));
  return content === null ? null : noteSchema.parse(JSON.parse(content.toString('utf8')));
}

async function writeSweepNote(
  artifacts: ArtifactStore,
  project: string,
  note: SweepNote,
  exists: boolean,
): Promise<void> {
  const key = artifactKeys.sweep(project);
  if (note.blobs.length > 0) await artifacts.put(key, Buffer.from(JSON.stringify(note)));
  else if (exists) await artifacts.remove([key]);
}

/** Removes manifests of no use. Those whose files may still lie in a bucket stay: they say which keys are ours. */
async function freeManifests(
  artifacts: ArtifactStore,
  { project, kept }: SweepRequest,
  before: number,
): Promise<{ stay: string[]; freed: number; freedBytes: number }> {
  const lying = await footprints(artifacts, project);
  const listed = await artifacts.list(artifactKeys.manifests(project));
  const isUseless = ({ key, modifiedAt }: (typeof listed)[number]) => {
    const deployment = key.slice(key.lastIndexOf('/') + 1).replace(/\.json$/, '');
    return !kept.has(deployment) && !lying.has(deployment) && modifiedAt.getTime() < before;
  };
  const useless = listed.filter(isUseless);
  await artifacts.remove(useless.map(({ key }) => key));
  return {
    stay: listed.filter((entry) => !isUseless(entry)).map(({ key }) => key),
    freed: useless.length,
    freedBytes: useless.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

async function footprints(artifacts: ArtifactStore, project: string): Promise<Set<string>> {
  const deployments = new Set<string>();
  for (const { key } of await artifacts.list(artifactKeys.footprints(project))) {
    const footprint = await readFootprint(artifacts, key);
    if (!footprint) continue;
    for (const deployment of deploymentsOf(footprint)) deployments.add(deployment);
  }
  return deployments;
}

/** Marks what manifests refer to that are not among the `known` keys, which it adds to. */
async function markNew(
  artifacts: ArtifactStore,
  project: string,
  known: Set<string>,
  marked: Set<string>,
): Promise<void> {
  const listed = await artifacts.list(artifactKeys.manifests(project));
  const fresh = listed.map(({ key }) => key).filter((key) => !known.has(key));
  for (const blob of await markBlobs(artifacts, fresh)) marked.add(blob);
  for (const key of fresh) known.add(key);
}

async function markBlobs(artifacts: ArtifactStore, keys: readonly string[]): Promise<Set<string>> {
  const marked = new Set<string>();
  await forEachBounded(keys, 16, async (key) => {
    const content = await artifacts.get(key);
    if (content === null) return;
    for (const { blob } of Object.values((JSON.parse(content.toString('utf8')) as Manifest).files)) {
      marked.add(blob);
    }
  });
  return marked;
}
