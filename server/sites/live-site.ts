/** What a site serves now, as the plane that serves it knows it. */
import type { Manifest, ManifestFile } from '../../contract/manifest.ts';

export type LiveSite = {
  slug: string;
  deployment: string;
  /** The publication's order on its target. */
  order: number;
  manifest: Manifest;
  /** Fingerprinted files of what was live lately and is no longer in the manifest, so that open tabs keep their chunks. */
  retained: ReadonlyMap<string, ManifestFile>;
};
