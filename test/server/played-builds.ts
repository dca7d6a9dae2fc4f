/** Deployments of a project on replicas, whose builder the test plays: up to where it builds, or to the end. */
import { expect } from 'vitest';
import type { Replicas } from './replicas.ts';

/** Has `project` deployed, built by a builder that has registered. */
export async function startBuild(replicas: Replicas, token: string, project: string) {
  const { deployment } = await replicas.create(0, token, { project, force: true });
  await replicas.runner.whenStarted(deployment.id);
  const builder = replicas.builder(0, deployment.id);
  await builder.register();
  return { id: deployment.id, builder };
}

/** Has `text` deployed as the page of `project`. Resolves with the deployment's id when it is ready. */
export async function deploy(
  replicas: Replicas,
  token: string,
  project: string,
  text = 'x',
): Promise<string> {
  const { id, builder } = await startBuild(replicas, token, project);
  await builder.finish({ 'index.html': text });
  await expect.poll(async () => (await replicas.deployment(0, token, id)).status).toBe('ready');
  return id;
}
