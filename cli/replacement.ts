/** What a deployment will replace, said before it happens. Pure but for the one question to the plane. */
import type { CreateDeploymentAnswer, Target } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import type { Api } from './api.ts';
import { ago } from './format.ts';
import { sourceText } from './summary.ts';

/** The targets of the project `slug`: none where there is no such project yet. */
export async function readTargets(api: Api, slug: string): Promise<Target[]> {
  try {
    return await api.listTargets(slug);
  } catch (error) {
    // A plane of before previews does not know the question either.
    if (error instanceof SphereError && error.code === 'NOT_FOUND') return [];
    throw error;
  }
}

/** A line for people, or null where nothing was there before. `before`: the targets as they were just now. */
export function replacementText(
  { deployment, expiresAt }: Pick<CreateDeploymentAnswer, 'deployment' | 'expiresAt'>,
  before: readonly Target[],
  now: number,
): string | null {
  const { target, url } = deployment;
  const served = before.find(({ name }) => name === target)?.deployment;
  const replaces = served
    ? `Replaces what ${url} serves (${served.id}, ${sourceText(served)}, ${ago(served.createdAt, now)}).`
    : null;
  if (target === LIVE) return replaces;
  const end = expiresAt ? ` It ends on ${expiresAt.slice(0, 10)}, unless it is deployed again.` : '';
  return `${replaces ?? `A new preview, at ${url}.`} Live is untouched.${end}`;
}
