/**
 * By whom this process was asked to do what it does now. It travels with the request and not through the parameters of
 * every use case: what the audit log says must not depend on whether each of them has handed it on.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ActorKind } from '../contract/accounts-api.ts';

export type Asker = {
  kind: ActorKind;
  /** The token, the attempt, or the job as its host names it. */
  id: string | null;
  /** The account whose token it is. */
  account: string | null;
  /** The token, where it is one of an account. */
  token: string | null;
  address: string | null;
  requestId: string | null;
  /** The change has been written to the audit log, or there was none. */
  recorded: boolean;
};

const asking = new AsyncLocalStorage<Asker>();

/** Runs `work` for `asker`. */
export function askedBy<T>(asker: Asker, work: () => Promise<T>): Promise<T> {
  return asking.run(asker, work);
}

/** Who has asked for this; undefined for what the plane does by itself. */
export function asker(): Asker | undefined {
  return asking.getStore();
}

/** What was asked for is so already. */
export function nothingChanged(): void {
  const who = asking.getStore();
  if (who) who.recorded = true;
}
