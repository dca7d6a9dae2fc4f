/** Every legal move of a deployment's status, on one screen. */
import type { DeploymentStatus } from '../contract/words.ts';

export type DeploymentEvent = 'start' | 'publish' | 'fail' | 'cancel' | 'requeue';

const moves = {
  queued: { start: 'building', cancel: 'cancelled', fail: 'error' },
  building: { publish: 'ready', fail: 'error', cancel: 'cancelled', requeue: 'queued' },
  ready: {},
  error: {},
  cancelled: {},
} as const satisfies Record<DeploymentStatus, Partial<Record<DeploymentEvent, DeploymentStatus>>>;

/** The status after `event`. Throws when the move is illegal: that is a bug in the caller. */
export function nextStatus(status: DeploymentStatus, event: DeploymentEvent): DeploymentStatus {
  const next = (moves[status] as Partial<Record<DeploymentEvent, DeploymentStatus>>)[event];
  if (next === undefined) throw new Error(`a deployment that is ${status} cannot ${event}`);
  return next;
}
