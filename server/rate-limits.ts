/** How often somebody may ask, counted for all replicas together: each token, and each address that is refused. */
import type { RequestHandler } from 'express';
import { ipKeyGenerator, MemoryStore, type Options, rateLimit, type Store } from 'express-rate-limit';
import { SphereError } from '../contract/errors.ts';
import type { Caller } from './callers.ts';

export type RateLimitOptions = {
  /** Requests of one token in a minute. */
  perToken: number;
  /** Requests of one address in a minute that show no token that counts. */
  refusals: number;
  /** Where it is counted; the prefix keeps the counters apart. */
  store(prefix: string): Store;
};

export type RateLimits = {
  /** Once it is known who calls. */
  caller: RequestHandler;
  /** For what costs much, after `caller`: an account has few such requests at a time, and so many in a minute. */
  heavy: RequestHandler;
  /**
   * For a request that shows no token that counts. One that does is never kept waiting for what others do at the same
   * address: a team, and all builds of a plane, may stand behind one.
   */
  refused: RequestHandler;
  /** The same counts, for what comes over a socket. Both throw `RATE_LIMITED`. */
  socket: {
    /** A connection or an event under the token with the id `token`. */
    asked(token: string | null): Promise<void>;
    /** A connection from `address` that shows no token that counts. */
    refused(address: string): Promise<void>;
  };
};

const windowMs = 60_000;
/** Heavy requests of an account in a minute, and at a time, on each replica. A build has one, and more when its upload is slow. */
const heavyOfAccount = { perMinute: 120, atOnce: 4 } as const;
/** A build sends its log in batches, hundreds a second at times; this many in a minute no build needs. */
const perAttempt = 30_000;

/** Counts by `options`. While the place where it is counted is away, nobody is kept waiting. */
export function createRateLimits({ perToken, refusals, store }: RateLimitOptions): RateLimits {
  const common = (setting: RateSetting): Partial<Options> => ({
    windowMs,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    passOnStoreError: true,
    // Who stands before us is a setting, which has been checked where it was read.
    validate: false,
    handler(_request, response, next) {
      next(tooMany(Number(response.getHeader('retry-after') ?? windowMs / 1000), setting));
    },
  });
  const stores = { refused: store('refused'), token: store('token') };
  const refused = rateLimit({
    ...common('SPHERE_REFUSALS_PER_MINUTE'),
    limit: refusals,
    store: stores.refused,
    keyGenerator: ({ ip }) => ipKeyGenerator(ip ?? ''),
    // A job that gets a token for its ID token shows none before.
    skipSuccessfulRequests: true,
  });
  const callerOf = (locals: Record<string, unknown>) => locals.caller as Caller;
  const ofToken = rateLimit({
    ...common('SPHERE_REQUESTS_PER_MINUTE'),
    limit: perToken,
    store: stores.token,
    keyGenerator: (_, { locals }) => {
      const caller = callerOf(locals);
      return 'holder' in caller ? tokenKey(caller.holder.token) : 'nobody';
    },
  });
  const ofBuild = rateLimit({
    ...common(null),
    limit: perAttempt,
    store: new MemoryStore(),
    keyGenerator: ({ params }) => `${params.deployment} ${params.attempt}`,
  });
  const ofHeavy = rateLimit({
    ...common(null),
    limit: heavyOfAccount.perMinute,
    store: new MemoryStore(),
    keyGenerator: (_, { locals }) => accountOf(callerOf(locals)),
  });
  const underway = new Map<string, number>();
  return {
    refused,
    heavy(request, response, next) {
      const account = accountOf(callerOf(response.locals));
      const others = underway.get(account) ?? 0;
      if (others >= heavyOfAccount.atOnce) return next(tooMany(1, null));
      underway.set(account, others + 1);
      response.once('close', () => {
        const left = (underway.get(account) ?? 1) - 1;
        if (left > 0) underway.set(account, left);
        else underway.delete(account);
      });
      return ofHeavy(request, response, next);
    },
    socket: {
      asked: (token) => count(stores.token, tokenKey(token), perToken, 'SPHERE_REQUESTS_PER_MINUTE'),
      refused: (address) =>
        count(stores.refused, ipKeyGenerator(address), refusals, 'SPHERE_REFUSALS_PER_MINUTE'),
    },
    caller(request, response, next) {
      const caller = callerOf(response.locals);
      if ('holder' in caller) return ofToken(request, response, next);
      if (caller.kind === 'builder') return ofBuild(request, response, next);
      // Whether we are well is asked by whoever stands before us, all the time.
      if (caller.kind === 'nobody' && request.method !== 'GET') return refused(request, response, next);
      next();
    },
  };
}

const tokenKey = (token: string | null) => token ?? 'embedded';

const accountOf = (caller: Caller) => ('account' in caller ? caller.account : caller.kind);

async function count(store: Store, key: string, limit: number, setting: RateSetting): Promise<void> {
  const { totalHits, resetTime } = await store.increment(key);
  if (totalHits <= limit) return;
  const waitMs = resetTime === undefined ? windowMs : resetTime.getTime() - Date.now();
  throw tooMany(Math.max(1, Math.ceil(waitMs / 1000)), setting);
}

/** The setting that says how often; null: none does. */
type RateSetting = 'SPHERE_REQUESTS_PER_MINUTE' | 'SPHERE_REFUSALS_PER_MINUTE' | null;

const tooMany = (seconds: number, setting: RateSetting) =>
  new SphereError('RATE_LIMITED', `there were too many requests; the next may come in ${seconds} s`, {
    hint: `Wait, and ask less often.${setting === null ? '' : ` Whoever runs the plane sets how often: ${setting}.`}`,
  });
