/**
 * Remembers beside the manifests whose files lie in the bucket of a site: so that what is no longer asked for can be
 * found and removed later, what stayed is not written again, and nothing is believed of a bucket that another
 * publication has touched, whatever the plane's records say (they may come from a backup).
 */
import { z } from 'zod';
import type { ArtifactStore } from '../../ports.ts';

const footprintSchema = z.object({
  /** Whose publication finished last; null when none has. */
  deployment: z.string().nullable(),
  /** Whose fingerprinted files it left beside its own, newest first. */
  left: z.array(z.string()),
  /** Whose publications have begun to write since. */
  begun: z.array(z.string()).default([]),
});
export type Footprint = z.infer<typeof footprintSchema>;

/** Null when no publication of this bucket has begun yet. */
export async function readFootprint(artifacts: ArtifactStore, key: string): Promise<Footprint | null> {
  const content = await artifacts.get(key);
  return content === null ? null : footprintSchema.parse(JSON.parse(content.toString('utf8')));
}

/** The footprint from the first write of `deployment`'s publication on, until it finishes. */
export function footprintOfBeginning(before: Footprint | null, deployment: string): Footprint {
  const { deployment: last, left, begun } = before ?? { deployment: null, left: [], begun: [] };
  return { deployment: last, left, begun: [...begun.filter((id) => id !== deployment), deployment] };
}

/** Every deployment whose files may lie in the bucket. */
export function deploymentsOf({ deployment, left, begun }: Footprint): string[] {
  return [...(deployment === null ? [] : [deployment]), ...left, ...begun];
}
