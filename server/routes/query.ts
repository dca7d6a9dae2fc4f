/** What stands behind the `?` of a request: texts, sizes of pages, statuses. */
import { SphereError } from '../../contract/errors.ts';
import { type DeploymentStatus, deploymentStatuses } from '../../contract/words.ts';

/** `value` if it is there. Throws `REQUEST_INVALID` when it is there twice, or not a text. */
export function oneText(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new SphereError('REQUEST_INVALID', `"${name}" takes one value`);
}

/** The size of a page of at most `most`. Throws `REQUEST_INVALID`. */
export function pageSize(value: unknown, most = 100): number {
  const size = typeof value === 'string' ? Number(value) : Number.NaN;
  if (Number.isInteger(size) && size >= 1 && size <= most) return size;
  throw new SphereError('REQUEST_INVALID', `"limit" takes a whole number from 1 to ${most}`);
}

/** Statuses, separated by commas. Throws `REQUEST_INVALID` for one that there is not. */
export function statusesOf(value: unknown): DeploymentStatus[] | undefined {
  const words = oneText('status', value)?.split(',');
  const wrong = words?.find((word) => !deploymentStatuses.includes(word as DeploymentStatus));
  if (wrong === undefined) return words as DeploymentStatus[] | undefined;
  throw new SphereError('REQUEST_INVALID', `there is no status "${wrong.slice(0, 40)}"`, {
    hint: `The statuses are ${deploymentStatuses.join(', ')}.`,
  });
}
