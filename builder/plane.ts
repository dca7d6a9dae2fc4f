/** The plane as the builder sees it: every request of the contract, repeated while the plane cannot be reached. */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { Pool, request } from 'undici';
import type {
  BuildResult,
  BuildSpec,
  CacheAnswer,
  CredentialAnswer,
  KeepCache,
  KeepCacheAnswer,
  LogAnswer,
  ManifestAnswer,
  PhaseRequest,
} from '../contract/builder-api.ts';
import { type ErrorBody, errorCodes, SphereError } from '../contract/errors.ts';
import type { Manifest } from '../contract/manifest.ts';
import { type RouteName, routePath, routes } from '../contract/routes.ts';
import { builderContractVersion } from '../contract/version.ts';

/** Another attempt has taken over, or the deployment has ended: there is nobody left to report to. */
export class AttemptStale extends Error {
  override name = 'AttemptStale';
}

/** The plane did not answer for as long as the builder waits. */
export class PlaneUnreachable extends Error {
  override name = 'PlaneUnreachable';
}

/**
 * Every method repeats its request until the plane answers, and rejects with `AttemptStale`, with `PlaneUnreachable`
 * after `giveUpAfterMs` without an answer, with the plane's own error (SphereError), or with the signal's reason.
 */
export type Plane = {
  /** The attempt's own token. */
  token: string;
  register(): Promise<BuildSpec>;
  credential(): Promise<string>;
  /** `body`: the JSON text of a `LogRequest`. */
  sendLogs(body: string): Promise<LogAnswer>;
  enterPhase(request: PhaseRequest): Promise<void>;
  heartbeat(): Promise<void>;
  /** The uploaded source, a tar.gz. */
  openSource(url: string): Promise<Readable>;
  /** A cache that an earlier deployment has left, a tar.gz; null when there is none. */
  openCache(name: string): Promise<Readable | null>;
  /** Where an archive goes that is to be kept under `name`. */
  keepCache(name: string, archive: KeepCache): Promise<KeepCacheAnswer>;
  sendManifest(manifest: Manifest): Promise<ManifestAnswer>;
  sendResult(result: BuildResult): Promise<void>;
  /** A URL of the plane's, which may be relative, in full. */
  resolve(url: string): string;
  close(): Promise<void>;
};

export type PlaneOptions = {
  url: string;
  deployment: string;
  attempt: number;
  bootstrapToken: string;
  /** Ends every request. */
  signal: AbortSignal;
  giveUpAfterMs?: number;
};

/** Longer than a plane takes to come back after a restart or an upgrade. */
const giveUpAfterMs = 120_000;
const waits = { firstMs: 100, longestMs: 3_000 } as const;
/** Without an answer for this long, a try has failed. */
const silenceMs = 30_000;

export function openPlane(options: PlaneOptions): Plane {
  const pool = new Pool(new URL(options.url).origin, {
    connections: 4,
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    connect: { timeout: 10_000 },
  });
  const token = randomBytes(32).toString('hex');
  const patience = options.giveUpAfterMs ?? giveUpAfterMs;

  /** When the plane last answered anything. */
  let heardAt = performance.now();

  /**
   * Sends until there is an answer; every request of the contract may be repeated. `whileHeard`: a plane that answers
   * other requests is only waiting for something itself.
   */
  const answered = async <Answer>(
    what: string,
    attempt: () => Promise<Answer>,
    whileHeard = false,
  ): Promise<Answer> => {
    const started = performance.now();
    for (let pause: number = waits.firstMs; ; pause = Math.min(pause * 2, waits.longestMs)) {
      try {
        const answer = await attempt();
        heardAt = performance.now();
        return answer;
      } catch (error) {
        options.signal.throwIfAborted();
        const since = whileHeard ? Math.max(started, heardAt) : started;
        if (error instanceof AttemptStale) throw error;
        // Lines are held back meanwhile; with all else, waiting does not empty a disk.
        const held = whileHeard && error instanceof SphereError && error.code === 'DISK_FULL';
        if (error instanceof SphereError && !held && !isPassing(error)) throw error;
        if (performance.now() - since + pause > patience) throw unreachable(what, patience, error);
        await wait(pause * (0.5 + Math.random() / 2), undefined, { signal: options.signal });
      }
    }
  };

  const send = async (path: string, method: string, bearer: string, body?: string) => {
    const response = await pool.request({
      path,
      method: method.toUpperCase() as 'GET' | 'POST',
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: options.signal,
      ...(body === undefined ? {} : { body }),
    });
    if (response.statusCode >= 200 && response.statusCode < 300) return response.body;
    throw refusal(response.statusCode, await response.body.text());
  };

  const call = <Answer>(name: RouteName, body?: string, bearer = token, named = {}): Promise<Answer> => {
    const path = routePath(name, { deployment: options.deployment, attempt: options.attempt, ...named });
    const attempt = async () => {
      const answer = await send(path, routes[name].method, bearer, body);
      return (await answer.json()) as Answer;
    };
    // Without Redis a plane takes no lines, and all else: output is held back, and the build goes on when it is back.
    return answered(name, attempt, name === 'buildLogs');
  };
  const resolve = (url: string) => new URL(url, options.url).href;

  return {
    token,
    resolve,
    register: () =>
      call(
        'registerBuilder',
        JSON.stringify({ contractVersion: builderContractVersion, token }),
        options.bootstrapToken,
      ),
    credential: async () => (await call<CredentialAnswer>('buildCredential')).token,
    sendLogs: (body) => call('buildLogs', body),
    enterPhase: async (request) => void (await call('buildPhase', plainJson(request))),
    heartbeat: async () => void (await call('buildHeartbeat', '{}')),
    openSource: (url) => {
      const { origin, pathname, search } = new URL(resolve(url));
      // A store that the plane has named: the token is for the plane and for nobody else.
      if (origin !== new URL(options.url).origin) {
        return answered('the store', () =>
          openElsewhere(resolve(url), 'the uploaded source', options.signal),
        );
      }
      return answered('buildSource', () => send(`${pathname}${search}`, 'get', token));
    },
    async openCache(name) {
      const { url } = await call<CacheAnswer>('buildCache', undefined, token, { name });
      return url === null ? null : answered('the store', () => openElsewhere(url, 'a cache', options.signal));
    },
    keepCache: (name, archive) => call('keepBuildCache', JSON.stringify(archive), token, { name }),
    sendManifest: (manifest) => call('buildManifest', JSON.stringify(manifest)),
    sendResult: async (result) => void (await call('buildResult', plainJson(result))),
    close: () => pool.destroy(),
  };
}

/** Throws SOURCE_UNAVAILABLE for what a store does not give out. */
async function openElsewhere(url: string, what: string, signal: AbortSignal): Promise<Readable> {
  const response = await request(url, { signal, headersTimeout: silenceMs, bodyTimeout: silenceMs });
  if (response.statusCode === 200) return response.body;
  const text = (await response.body.text()).slice(0, 200);
  const seen = `${new URL(url).host} answered ${response.statusCode} for ${what}: ${text}`;
  if (response.statusCode >= 500) throw new SphereError('INFRASTRUCTURE', seen);
  throw new SphereError('SOURCE_UNAVAILABLE', seen, { hint: 'Deploy again: the source is uploaded anew.' });
}

/** What programs say can hold NUL (git does, when a remote breaks off), which no database keeps in a text. */
function plainJson(value: unknown): string {
  return JSON.stringify(value, (_, item) => (typeof item === 'string' ? item.replaceAll('\0', '') : item));
}

/** Failures that pass when the plane has come back, or has less to do. */
function isPassing(error: SphereError): boolean {
  return error.code === 'INFRASTRUCTURE' || error.code === 'PLANE_UNREACHABLE' || error.code === 'INTERNAL';
}

/** What an answer that is not 2xx means. What is not the plane's own error comes from something before it. */
function refusal(status: number, text: string): Error {
  const body = errorIn(text);
  if (body?.code === 'ATTEMPT_STALE') return new AttemptStale(body.message);
  if (body?.code === 'DISK_FULL') return SphereError.fromBody(body);
  if (status >= 500 || status === 408 || status === 429 || body === null) {
    return new SphereError('INFRASTRUCTURE', `The plane answered with ${status}: ${text.slice(0, 200)}`);
  }
  return SphereError.fromBody(body);
}

function errorIn(text: string): ErrorBody | null {
  try {
    const { error } = JSON.parse(text) as { error?: ErrorBody };
    return error !== undefined && errorCodes.includes(error.code) ? error : null;
  } catch {
    return null;
  }
}

function unreachable(what: string, patience: number, cause: unknown): PlaneUnreachable {
  const seen = cause instanceof Error ? cause.message : String(cause);
  return new PlaneUnreachable(
    `The plane did not take ${what} for ${Math.round(patience / 1000)} s; last seen: ${seen}`,
    { cause },
  );
}
