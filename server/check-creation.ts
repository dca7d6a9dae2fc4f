/** What a request for a deployment may ask for, before anything is written. */
import type { CreateDeployment } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE, reservedSlugs } from '../contract/words.ts';
import { withoutCredentials } from '../files/git-program.ts';
import { checkRepositoryHost } from '../files/repository-host.ts';
import { checkRef, checkRepository } from '../files/repository-url.ts';
import type { Plane } from './plane.ts';
import { checkTarget } from './targets.ts';

/** The target that is asked for. */
export const targetOf = (request: CreateDeployment) => request.target ?? LIVE;

/** Throws `REQUEST_INVALID`, `SOURCE_REFUSED`. */
export function checkRequest(plane: Plane, request: CreateDeployment): void {
  const most = Math.floor(plane.settings.timeLimitMs / 60_000);
  const minutes = request.build.limits?.minutes;
  if (minutes !== undefined && minutes > most) {
    throw new SphereError(
      'REQUEST_INVALID',
      `this plane builds for at most ${most} minutes, not ${minutes}`,
      {
        hint: `Set "limits": { "minutes": ${most} } in sphere.json, or leave it out.`,
      },
    );
  }
  if (request.source.kind === 'git') checkSource(plane, request.source.repository, request.source.ref);
  if (reservedSlugs.includes(request.project)) {
    throw new SphereError('REQUEST_INVALID', `the slug "${request.project}" is reserved`, {
      hint: 'Choose another with --slug.',
    });
  }
  if (request.gitToken !== undefined && request.source.kind !== 'git') {
    throw new SphereError('REQUEST_INVALID', 'a Git token goes with a repository only');
  }
  if (withoutCredentials(request.origin) !== request.origin) {
    throw new SphereError(
      'REQUEST_INVALID',
      'the origin holds credentials, which would be shown with the project',
    );
  }
  checkTarget(request.project, targetOf(request), request.expireAfterDays);
}

/** What no builder would clone is not taken either: an address with a password in it would be kept and shown. */
function checkSource(
  { settings: { allowLocalRepository: allowLocal, gitHosts } }: Plane,
  url: string,
  ref: string | undefined,
): void {
  const repository = checkRepository(url, { allowLocal });
  if (ref !== undefined) checkRef(ref);
  if (!allowLocal) checkRepositoryHost(repository, gitHosts);
}

/** The region that is asked for, or null where the plane chooses. Throws `REQUEST_INVALID` for one that it has not. */
export function regionOf(plane: Plane, request: CreateDeployment): string | null {
  const { region } = request;
  const { regions } = plane.sites;
  if (region === undefined || regions.includes(region)) return region ?? null;
  throw new SphereError('REQUEST_INVALID', `this plane has no region "${region}"`, {
    hint: `Choose one of: ${regions.join(', ')}.`,
  });
}
