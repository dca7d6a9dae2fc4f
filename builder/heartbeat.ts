/** Tells the plane at fixed times that the builder is alive, whatever else it says. */
import { liveness } from '../contract/builder-api.ts';
import type { Plane } from './plane.ts';

/** `failed` is called when the plane wants to hear no more, or has been away for too long. */
export function startHeartbeat(
  plane: Pick<Plane, 'heartbeat'>,
  failed: (error: unknown) => void,
): { stop: () => void } {
  let beating = false;
  const timer = setInterval(() => {
    // One that is still being repeated stands for those that follow.
    if (beating) return;
    beating = true;
    plane
      .heartbeat()
      .catch(failed)
      .finally(() => {
        beating = false;
      });
  }, liveness.heartbeatMs);
  return { stop: () => clearInterval(timer) };
}
