/** One replica of a hosted plane, from its adapters: app, listen, work. It keeps nothing that another does not find. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SphereError } from '../contract/errors.ts';
import { createApp, createHttpServer } from './app.ts';
import { createCallers, hostedHolders } from './callers.ts';
import { closeAll, describe } from './closing.ts';
import type { Database } from './database/database.ts';
import type { Duty } from './duties.ts';
import { hostedHosts } from './hosts.ts';
import { createIdTokens, type Issuer } from './id-tokens.ts';
import { type Keys, newId } from './keys.ts';
import { closeServer } from './listeners.ts';
import { createOpenUses } from './open-uses.ts';
import type { Addresses, Plane, PlaneSettings } from './plane.ts';
import type { BuildRunner, LogStore, SiteStore } from './ports.ts';
import { createRateLimits, type RateLimitOptions } from './rate-limits.ts';
import type { PlaneRoutesOptions } from './routes/plane.ts';
import type { RunningServer } from './running-server.ts';
import { startWorkLoop, unlessStale, type WorkLoop } from './work-loop.ts';

export type ReplicaParts = {
  database: Database;
  logs: LogStore;
  sites: SiteStore;
  builds: BuildRunner;
  keys: Keys;
  addresses: Addresses;
  settings: PlaneSettings;
  duties: readonly Duty[];
  listen: { host: string; port: number };
  trustedProxies: string[];
  /** Null: everybody may ask as often as they like. */
  limits: RateLimitOptions | null;
  /** Whose ID tokens jobs may show. */
  issuers: readonly Issuer[];
  waitingFor: PlaneRoutesOptions['waitingFor'];
  prune(plane: Plane): ReturnType<PlaneRoutesOptions['prune']>;
};

/**
 * Starts a replica. `closers` are closed after everything of its own, in reverse; `log` takes one line for people.
 * Throws `PORT_TAKEN`.
 */
export async function openReplica(
  parts: ReplicaParts,
  closers: (() => Promise<void>)[],
  log: (line: string) => void,
): Promise<RunningServer & { plane: Plane }> {
  const startedAt = new Date().toISOString();
  const report = (message: string, error?: unknown) => log(describe(message, error));
  const ending = new AbortController();
  let loop: WorkLoop | undefined;
  const { database, logs, sites, builds, keys, addresses, settings } = parts;
  const plane: Plane = {
    id: newId('pln'),
    database,
    logs,
    sites,
    builds,
    keys,
    settings,
    addresses,
    publishing: new Set(),
    ending: ending.signal,
    now: Date.now,
    wake: () => loop?.wake(),
    report,
    reportUnlessStale: unlessStale(report),
  };

  let shutDown = () => {};
  const asked = new Promise<void>((resolve) => {
    shutDown = resolve;
  });
  const uses = createOpenUses(plane);
  closers.push(() => uses.close());
  const app = createApp(plane, {
    callers: createCallers(plane, hostedHolders(plane)),
    uses,
    limits: parts.limits === null ? null : createRateLimits(parts.limits),
    idTokens: createIdTokens({ issuers: parts.issuers, audience: settings.url }),
    requestedHost: hostedHosts(settings.url),
    trustedProxies: parts.trustedProxies,
    plane: {
      dataDirectory: null,
      startedAt,
      waitingFor: parts.waitingFor,
      prune: () => parts.prune(plane),
      shutDown,
    },
  });
  const server = createHttpServer((request, response) => app.answer(request, response));
  const sockets = app.attach(server);
  const url = await listen(server, parts.listen);
  closers.push(() => closeServer(server));
  closers.push(() => sockets.close());
  loop = startWorkLoop(plane, parts.duties);
  const { stop } = loop;
  closers.push(() => {
    ending.abort(new Error('this replica of the plane ends'));
    return stop();
  });

  const ended = asked.then(() => closeAll(closers, log));
  return {
    plane,
    url,
    home: null,
    notice: null,
    ended,
    async stop() {
      shutDown();
      await ended;
    },
  };
}

async function listen(
  server: ReturnType<typeof createHttpServer>,
  { host, port }: { host: string; port: number },
): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error;
    throw new SphereError('PORT_TAKEN', `${host}:${port} cannot be listened on: ${code}`, {
      hint: 'Set SPHERE_LISTEN to another address and port.',
      cause: error,
    });
  }
  const { address, port: actual } = server.address() as AddressInfo;
  return `http://${address.includes(':') ? `[${address}]` : address}:${actual}`;
}
