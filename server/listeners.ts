/** Ports: the plane's own, and one per site so that programs that do not resolve `*.localhost` reach it. */
import type { Server } from 'node:http';
import { SphereError } from '../contract/errors.ts';
import { createHttpServer, refuseHost, type ServeSite } from './app.ts';
import { requestedHost } from './hosts.ts';

const loopback = '127.0.0.1';
/** The port that a first plane tries; any other free one will do. */
export const firstChoice = 4747;

/** Listens on `port`; null when another program has it. */
export async function listen(server: Server, port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      server.off('listening', started);
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(null);
      else reject(error);
    };
    const started = () => {
      server.off('error', failed);
      resolve((server.address() as { port: number }).port);
    };
    server.once('error', failed);
    server.once('listening', started);
    server.listen(port, loopback);
  });
}

/**
 * Listens on the port that was asked for, else on the stored one, else on a free one. Throws `PORT_TAKEN` only for a
 * port that a person asked for: a stored one that somebody else has now gives way to another.
 */
export async function listenForPlane(
  server: Server,
  asked: number | null,
  stored: number | null,
): Promise<{ port: number; moved: boolean }> {
  if (asked !== null) {
    const port = await listen(server, asked);
    if (port !== null) return { port, moved: stored !== null && stored !== port };
    throw new SphereError('PORT_TAKEN', `port ${asked} is taken by another program`, {
      hint: `Choose another with --port, or find the program with \`lsof -i :${asked}\`.`,
    });
  }
  for (const choice of stored === null ? [firstChoice, 0] : [stored, 0]) {
    const port = await listen(server, choice);
    if (port !== null) return { port, moved: stored !== null && stored !== port };
  }
  throw new SphereError('PORT_TAKEN', 'no port is free on 127.0.0.1');
}

export type SiteListeners = {
  /** The port on which the site `label` answers: `port` where that is free, else another. */
  open(label: string, port: number | null): Promise<number>;
  portOf(label: string): number | undefined;
  /** The site `label` has no port of its own any more. */
  closeOne(label: string): Promise<void>;
  close(): Promise<void>;
};

/** Makes sites answer on ports of their own, near the plane's. */
export function createSiteListeners(serveSite: ServeSite, planePort: () => number): SiteListeners {
  const open = new Map<string, { server: Server; port: number }>();

  async function start(label: string, wanted: number | null): Promise<number> {
    const server = createHttpServer((request, response) => {
      // The site's own port answers to loopback names only, like everything here.
      const host = requestedHost(request.headers.host);
      if (host.kind === 'other') refuseHost(host.name, response);
      else serveSite(label, request, response);
    });
    const choices = [
      ...(wanted === null ? [] : [wanted]),
      ...Array.from({ length: 200 }, (_, n) => planePort() + 1 + n),
      0,
    ];
    for (const choice of choices) {
      if (choice > 65_535) continue;
      const port = await listen(server, choice);
      if (port === null) continue;
      open.set(label, { server, port });
      return port;
    }
    throw new SphereError('PORT_TAKEN', `no port is free for the site ${label} on ${loopback}`);
  }

  /** One after the other: two starts at once could both be after the same port. */
  let turn: Promise<unknown> = Promise.resolve();
  return {
    open(label, port) {
      const mine = turn.then(() => open.get(label)?.port ?? start(label, port));
      turn = mine.catch(() => {});
      return mine;
    },
    portOf: (label) => open.get(label)?.port,
    async closeOne(label) {
      const one = open.get(label);
      open.delete(label);
      if (one) await closeServer(one.server);
    },
    async close() {
      await Promise.all([...open.values()].map(({ server }) => closeServer(server)));
    },
  };
}

/** Ends a server and what is connected to it. */
export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
