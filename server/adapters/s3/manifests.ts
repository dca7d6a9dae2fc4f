/** Manifests in the artifact bucket of a region. Those that were published never change: the last ones stay in memory. */
import { SphereError } from '../../../contract/errors.ts';
import type { Manifest } from '../../../contract/manifest.ts';
import type { ArtifactStore } from '../../ports.ts';
import { artifactKeys } from './artifact-bucket.ts';
import { prepareContent } from './site-objects.ts';

/** Files of all manifests in memory together. */
const mostFiles = 200_000;

export type Manifests = {
  put(project: string, region: string, deployment: string, manifest: Manifest): Promise<void>;
  /** Null when there is none. */
  find(project: string, region: string, deployment: string): Promise<Manifest | null>;
  /** As it is stored now: attempts that overlap may both have brought one. Throws when there is none. */
  get(project: string, region: string, deployment: string): Promise<Manifest>;
};

export function createManifests(artifactsOf: (region: string) => ArtifactStore): Manifests {
  /** In the order of their last use, oldest first. */
  const known = new Map<string, { manifest: Manifest; files: number }>();
  let files = 0;

  const forget = (key: string) => {
    files -= known.get(key)?.files ?? 0;
    known.delete(key);
  };
  const remember = (key: string, manifest: Manifest) => {
    forget(key);
    const entry = { manifest, files: Object.keys(manifest.files).length };
    known.set(key, entry);
    files += entry.files;
    for (const oldest of known.keys()) {
      if (files <= mostFiles || oldest === key) break;
      forget(oldest);
    }
    return manifest;
  };
  const read = async (project: string, region: string, deployment: string) => {
    const key = artifactKeys.manifest(project, deployment);
    const content = await artifactsOf(region).get(key);
    if (content === null) return null;
    const manifest = JSON.parse(content.toString('utf8')) as Manifest;
    await prepareContent(manifest);
    return remember(key, manifest);
  };
  return {
    async put(project, region, deployment, manifest) {
      const key = artifactKeys.manifest(project, deployment);
      // Another attempt of the deployment may bring another one.
      forget(key);
      await artifactsOf(region).put(key, Buffer.from(JSON.stringify(manifest)));
    },
    async find(project, region, deployment) {
      const key = artifactKeys.manifest(project, deployment);
      const cached = known.get(key);
      return cached ? remember(key, cached.manifest) : read(project, region, deployment);
    },
    async get(project, region, deployment) {
      const manifest = await read(project, region, deployment);
      if (manifest) return manifest;
      throw new SphereError('NOT_FOUND', `the files of ${deployment} are not there any more`);
    },
  };
}
