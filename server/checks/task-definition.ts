/** What `sphere server check` needs to know of the builder's task definition. */
import { DescribeTaskDefinitionCommand, type ECSClient } from '@aws-sdk/client-ecs';
import type { AwsConfig } from '../aws-config.ts';

export type BuilderTask = {
  image: string;
  vcpu: number;
  architecture: 'amd64' | 'arm64';
};

/** Throws when there is none, or it has no container of the configured name. */
export async function describeBuilderTask(
  ecs: ECSClient,
  { taskDefinition, container }: Pick<AwsConfig['ecs'], 'taskDefinition' | 'container'>,
): Promise<BuilderTask> {
  const answer = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
  const definition = answer.taskDefinition ?? {};
  const found = definition.containerDefinitions?.find(({ name }) => name === container);
  if (!found?.image) throw new Error(`the task definition ${taskDefinition} has no container "${container}"`);
  return {
    image: found.image,
    vcpu: vcpuOf(definition.cpu),
    architecture: definition.runtimePlatform?.cpuArchitecture === 'ARM64' ? 'arm64' : 'amd64',
  };
}

/** `1024` and `1 vCPU` are the same. */
function vcpuOf(cpu: string | undefined): number {
  const number = Number.parseFloat(cpu ?? '');
  if (!(number > 0)) throw new Error(`the task definition has no cpu of its own: "${cpu ?? ''}"`);
  return /vcpu/i.test(cpu ?? '') ? number : number / 1024;
}
