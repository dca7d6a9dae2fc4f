/** What most commands begin with: the plane, and the project that is meant. */
import path from 'node:path';
import type { Deployment } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { isEnded } from '../contract/words.ts';
import type { Context } from './command.ts';
import { locateProject } from './locate-project.ts';
import { connectPlane, type Plane } from './plane.ts';
import { choosePlane, noPlaneYet } from './plane-choice.ts';
import { namedRoot, resolveSettings, type SettingFlags } from './settings.ts';

/**
 * Connects to the plane that was chosen before; a job that shows what its host says of it, for the project that is meant,
 * which is all that it then reaches. Throws `PLANE_NOT_CHOSEN`, and `INPUT_NEEDED` for a job of no project.
 */
export async function openPlane(
  context: Context,
  { slug }: { slug?: string | undefined } = {},
): Promise<Plane> {
  const choice = choosePlane(context);
  if (choice.kind === 'none') throw noPlaneYet();
  const isJob = choice.kind === 'hosted' && choice.job !== undefined;
  const project = isJob ? await projectSlug(context, slug === undefined ? {} : { slug }) : undefined;
  return connectPlane(choice, context.environment, context.output.note, project);
}

/** The slug that `sphere deploy` would use in this directory. Throws `INPUT_NEEDED`. */
export async function projectSlug(context: Context, flags: Pick<SettingFlags, 'slug'>): Promise<string> {
  const { variables, forChildren } = context.environment;
  if (flags.slug !== undefined) {
    const named = resolveSettings({ flags, variables, file: {}, facts: noFacts });
    if (named.slug) return named.slug.value;
  }
  const { configuration, facts } = await locateProject(path.resolve(context.directory), {
    root: namedRoot({}, variables),
    build: {},
    environment: forChildren,
    lenient: true,
  });
  const { slug } = resolveSettings({ flags, variables, file: configuration, facts });
  if (slug) return slug.value;
  throw new SphereError('INPUT_NEEDED', `No project can be derived from ${context.directory}.`, {
    hint: 'Name it with --slug.',
  });
}

const noFacts = { packageName: null, directoryName: '' };

/** The deployment `id`, or without one the newest of the project that is meant and fits `wanted`. */
export async function findDeployment(
  context: Context,
  plane: Plane,
  query: { id: string | undefined; flags: Pick<SettingFlags, 'slug'>; unfinished?: boolean },
): Promise<Deployment> {
  if (query.id !== undefined) return deploymentOrProject(plane, query.id);
  const project = await projectSlug(context, query.flags);
  const found = await plane.api.listDeployments({ project, limit: query.unfinished ? 50 : 1 });
  const deployment = query.unfinished ? found.find((one) => !isEnded(one.status)) : found[0];
  if (deployment) return deployment;
  throw new SphereError(
    'NOT_FOUND',
    query.unfinished
      ? `"${project}" has no deployment that has not ended.`
      : `"${project}" has never been deployed.`,
    {
      hint: query.unfinished
        ? `See \`sphere ls ${project}\`.`
        : 'Name another project with --slug, or see `sphere ls`.',
    },
  );
}

/** Throws `NOT_FOUND`, which for the slug of a project says so. */
async function deploymentOrProject({ api }: Plane, id: string): Promise<Deployment> {
  try {
    return await api.getDeployment(id);
  } catch (error) {
    if (!(error instanceof SphereError) || error.code !== 'NOT_FOUND') throw error;
    const project = await api.getProject(id).catch(() => null);
    if (project === null) throw error;
    throw new SphereError('NOT_FOUND', `"${id}" is a project, not a deployment.`, {
      hint: `Its newest deployment: --slug ${id}. All of them: \`sphere ls ${id}\`.`,
      cause: error,
    });
  }
}
