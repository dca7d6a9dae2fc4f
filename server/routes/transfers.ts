/** Content that comes and goes through the plane's own routes, where the site store has it so. */
import { SphereError } from '../../contract/errors.ts';
import type { Plane } from '../plane.ts';
import type { ThroughPlane } from '../ports.ts';

/** How content goes through the plane. Throws `NOT_FOUND` where it goes to the store itself. */
export function throughPlane(plane: Plane): ThroughPlane {
  const { transfer } = plane.sites;
  if (transfer.kind === 'plane') return transfer;
  throw new SphereError(
    'NOT_FOUND',
    'content goes to and from the store itself, by the URLs that were given',
  );
}
