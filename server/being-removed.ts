/** A removal that is under way: how long it may take, and what whoever comes meanwhile is told. */
import { SphereError } from '../contract/errors.ts';

/** Who empties a target takes no longer than this; then another process may finish it. Milliseconds. */
export const removalMs = 2 * 60_000;

/** `what` is being removed; `command` finishes it where that was cut off. */
export function beingRemoved(what: string, command: string): SphereError {
  return new SphereError('PUBLISHING', `${what} is being removed just now`, {
    hint: `Try again in a moment. A removal that was cut off can be finished after ${removalMs / 60_000} minutes: \`${command}\`.`,
  });
}
