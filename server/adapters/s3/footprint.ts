/**
 * Remembers beside the manifests whose files lie in the bucket of a site, so that what is no longer asked for can be
 * found and removed later, and so that what stayed is not written again.
 */
import { z } from 'zod';
import type { ArtifactStore } from '../../ports.ts';

const footprintSchema = z.object({
  /** Whose publication finished last. */
  deployment: z.string(),
  /** Whose fingerprinted files it left beside its own, newest first. */
  left: z.array(z.string()),
});
export type Footprint = z.infer<typeof footprintSchema>;

/** Null when no publication of this bucket has finished yet. */
export async function readFootprint(artifacts: ArtifactStore, key: string): Promise<Footprint | null> {
  const content = await artifacts.get(key);
  return content === null ? null : footprintSchema.parse(JSON.parse(content.toString('utf8')));
}

export async function writeFootprint(
  artifacts: ArtifactStore,
  key: string,
  footprint: Footprint,
): Promise<void> {
  await artifacts.put(key, Buffer.from(JSON.stringify(footprint)));
}
