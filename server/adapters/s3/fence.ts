/**
 * The time within which a publication may write. A process can be stopped at any point and go on much later, when
 * another one has taken its publication over: no timer of its own tells it in time. So the clock is looked at before
 * each request, and every write is signed for no longer than what is left of the lease: S3 itself refuses a late one.
 */
import type { S3RequestPresigner } from '@aws-sdk/s3-request-presigner';
import type { SitePublication } from '../../ports.ts';
import type { S3 } from './client.ts';
import { statusOf, TooLate } from './retry.ts';
import { lifetimeOf, signerFor } from './signing.ts';

type SignedRequest = Parameters<S3RequestPresigner['presign']>[0];

export type Fence = Pick<SitePublication, 'signal' | 'until'>;

/** What is used here of the SDK's commands, whose types differ in their input and output. */
type FencedCommand = {
  middlewareStack: {
    addRelativeTo(
      // biome-ignore lint/suspicious/noExplicitAny: the same middleware goes into commands of every type.
      middleware: (next: (args: any) => Promise<any>) => (args: any) => Promise<any>,
      options: { name: string; relation: 'after'; toMiddleware: string; override: boolean },
    ): void;
  };
};

/** A refusal so near to the end of a signature, in milliseconds, may come from clocks that differ a little. */
const nearEndMs = 2_000;

/**
 * Calls `send` with the time at which what it signs has to end. A refusal that comes about then, while the fence goes
 * on, is thrown as `TooLate`: the signature may have ended on the way.
 */
export async function sendWithin<Answer>(
  { until }: Pick<Fence, 'until'>,
  send: (end: number) => Promise<Answer>,
): Promise<Answer> {
  const end = until();
  try {
    return await send(end);
  } catch (error) {
    const late = statusOf(error) === 403 && Date.now() > end - nearEndMs && Date.now() < until();
    throw late ? new TooLate((error as Error).message, { cause: error }) : error;
  }
}

/**
 * Calls `send` with `command` under a signature that ends with the fence (the SDK's own are good for a quarter of an
 * hour), as `sendWithin` does; without a fence, with `command` as it is. Throws when the time is over.
 */
export function sendFenced<Command extends FencedCommand, Answer>(
  s3: S3,
  region: string,
  command: Command,
  fence: Fence | undefined,
  send: (command: Command) => Promise<Answer>,
): Promise<Answer> {
  if (!fence) return send(command);
  command.middlewareStack.addRelativeTo(
    (next) => async (args) =>
      next({ ...args, request: await signWithin(s3, region, args.request as SignedRequest, fence) }),
    { name: 'sphereFence', relation: 'after', toMiddleware: 'httpSigningMiddleware', override: true },
  );
  return sendWithin(fence, () => send(command));
}

async function signWithin(
  s3: S3,
  region: string,
  request: SignedRequest,
  { signal, until }: Fence,
): Promise<SignedRequest> {
  signal.throwIfAborted();
  // Replaced by their counterparts in the query.
  const replaced = ['authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'];
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => !replaced.includes(name.toLowerCase())),
  );
  const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const signed = await signerFor(s3, region).presign(
    { ...request, headers, query: { ...request.query } },
    { ...lifetimeOf(s3, region, { until: until() }), unhoistableHeaders: names },
  );
  return { ...request, headers: signed.headers, ...(signed.query ? { query: signed.query } : {}) };
}
