/** `sphere server check`: the builder's image is in ECR, for the right processor, and speaks this plane's contract. */
import { BatchGetImageCommand, type ECRClient, GetDownloadUrlForLayerCommand } from '@aws-sdk/client-ecr';
import { z } from 'zod';
import { builderContractVersion } from '../../contract/version.ts';
import type { Check } from '../check.ts';
import { awsFailure } from './aws-failure.ts';
import type { BuilderTask } from './task-definition.ts';

/** The label of the image that says which version of the builder's contract it speaks. */
export const contractLabel = 'sphere.contract';

const name = 'image in ECR';
const publish =
  'Publish the builder image of this version (`scripts/publish-builder-image`), and let the task definition name it.';

/** An image in ECR: https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html#registry_concepts */
type EcrImage = { registryId: string; region: string; repositoryName: string; imageId: ImageId };
type ImageId = { imageTag: string } | { imageDigest: string };

/** Looks at the image of `task`. `clientFor`: a client for the region that the image's address names. */
export async function checkBuilderImage(
  task: BuilderTask,
  clientFor: (region: string) => ECRClient,
): Promise<Check[]> {
  const image = parseImage(task.image);
  if (image === null) {
    const seen = `${task.image} is not in ECR, and was not looked at`;
    return [
      {
        name,
        ok: true,
        seen,
        fix: `Other registries may limit how often it is pulled, and each build pulls it. ${publish}`,
      },
    ];
  }
  let action = 'ecr:BatchGetImage';
  try {
    const ecr = clientFor(image.region);
    const found = await findConfig(ecr, image, task.architecture);
    if ('missing' in found)
      return [{ name, ok: false, seen: `${task.image}: ${found.missing}`, fix: publish }];
    action = 'ecr:GetDownloadUrlForLayer';
    return [judge(task, await readConfig(ecr, image, found.config))];
  } catch (error) {
    return [awsFailure(name, error, action)];
  }
}

function parseImage(address: string): EcrImage | null {
  const match =
    /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+\/([a-z0-9._/-]+?)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(
      address,
    );
  if (!match) return null;
  const [, registryId = '', region = '', repositoryName = '', imageTag = 'latest', imageDigest] = match;
  return { registryId, region, repositoryName, imageId: imageDigest ? { imageDigest } : { imageTag } };
}

const manifestSchema = z.object({
  config: z.object({ digest: z.string() }).optional(),
  /** Of an index: one manifest per platform. */
  manifests: z
    .array(
      z.object({
        digest: z.string(),
        platform: z.object({ architecture: z.string(), os: z.string() }).optional(),
      }),
    )
    .optional(),
});

// Without these, ECR answers with the oldest format that it can make of an image.
const acceptedMediaTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** The digest of the image's configuration for `architecture`, or what is missing. */
async function findConfig(
  ecr: ECRClient,
  image: EcrImage,
  architecture: string,
): Promise<{ config: string } | { missing: string }> {
  const { registryId, repositoryName, imageId } = image;
  const answer = await ecr
    .send(new BatchGetImageCommand({ registryId, repositoryName, imageIds: [imageId], acceptedMediaTypes }))
    .catch((error) => {
      if (error instanceof Error && error.name === 'RepositoryNotFoundException') return null;
      throw error;
    });
  if (answer === null) return { missing: 'there is no such repository' };
  const text = answer.images?.[0]?.imageManifest;
  // What is not there is no error but an entry of `failures`.
  if (text === undefined)
    return { missing: answer.failures?.[0]?.failureReason ?? 'there is no such image in the repository' };
  const { config, manifests } = manifestSchema.parse(JSON.parse(text));
  if (config) return { config: config.digest };
  const fitting = manifests?.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  if (!fitting) return { missing: `it has nothing for linux/${architecture}` };
  return findConfig(ecr, { ...image, imageId: { imageDigest: fitting.digest } }, architecture);
}

const configSchema = z.object({
  architecture: z.string(),
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).optional(),
});
type ImageConfig = z.infer<typeof configSchema>;

async function readConfig(ecr: ECRClient, image: EcrImage, digest: string): Promise<ImageConfig> {
  const { registryId, repositoryName } = image;
  const { downloadUrl } = await ecr.send(
    new GetDownloadUrlForLayerCommand({ registryId, repositoryName, layerDigest: digest }),
  );
  const response = await fetch(downloadUrl ?? '', { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`the configuration of the image: HTTP ${response.status}`);
  return configSchema.parse(await response.json());
}

/** The plane serves a builder of its own version of the contract and of the one before. */
function judge({ image, architecture }: BuilderTask, found: ImageConfig): Check {
  const failed = (seen: string, fix = publish): Check => ({
    name,
    ok: false,
    seen: `${image}: ${seen}`,
    fix,
  });
  if (found.architecture !== architecture) {
    return failed(
      `it is for ${found.architecture}, and the task definition runs it on ${architecture}`,
      `Set runtimePlatform.cpuArchitecture of the task definition, or publish the image for linux/${architecture}.`,
    );
  }
  const label = found.config?.Labels?.[contractLabel];
  const contract = Number(label);
  if (label === undefined) return failed(`it has no label ${contractLabel}: it is no builder of Sphere`);
  const here = `this plane speaks ${builderContractVersion}`;
  if (contract === builderContractVersion || contract === builderContractVersion - 1)
    return { name, ok: true, seen: `${image}: contract ${label}; ${here}` };
  if (contract > builderContractVersion)
    return failed(
      `contract ${label}; ${here}`,
      'Upgrade the control plane first, or publish the older image again.',
    );
  return failed(`contract ${label}; ${here} and ${builderContractVersion - 1}`);
}
