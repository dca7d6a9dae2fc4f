/** The plane's HTTP server: the API and, by Host name, the sites. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import express from 'express';
import helmet from 'helmet';
import proxyaddr from 'proxy-addr';
import { httpStatusOf, SphereError } from '../contract/errors.ts';
import { recordChange } from './audit.ts';
import type { Callers } from './callers.ts';
import type { RequestedHost } from './hosts.ts';
import type { IdTokens } from './id-tokens.ts';
import type { OpenUses } from './open-uses.ts';
import type { Plane } from './plane.ts';
import type { RateLimits } from './rate-limits.ts';
import { accountRoutes } from './routes/accounts.ts';
import { auditRoutes } from './routes/audit.ts';
import { buildRoutes } from './routes/builds.ts';
import { deploymentRoutes } from './routes/deployments.ts';
import { environmentRoutes } from './routes/environment.ts';
import { mountRoutes } from './routes/mount.ts';
import { type PlaneRoutesOptions, planeRoutes } from './routes/plane.ts';
import { projectRoutes } from './routes/projects.ts';
import { trustRoutes } from './routes/trusts.ts';
import { endWhenSlow, type LeastSpeed } from './slow-requests.ts';
import { attachSockets } from './sockets.ts';

/** Answers a request for the site that host names call `label`. */
export type ServeSite = (label: string, request: IncomingMessage, response: ServerResponse) => void;

export type App = {
  /** Answers one request. */
  answer(request: IncomingMessage, response: ServerResponse): void;
  /** Attaches the log followers to a server that answers with this app. */
  attach(server: Server): { close(): Promise<void> };
};

export type AppOptions = {
  callers: Callers;
  /** What is open under tokens, and ends with them. */
  uses: OpenUses;
  /** How often somebody may ask; null: as often as they like. */
  limits: RateLimits | null;
  /** What of jobs elsewhere is believed; null: nothing. */
  idTokens: IdTokens | null;
  /** What a Host header asks for. */
  requestedHost(header: string | undefined): RequestedHost;
  /** For planes that serve their sites themselves. */
  serveSite?: ServeSite;
  /** For Express's `trust proxy`: whose word about the client's address counts. */
  trustedProxies?: string[];
  plane: PlaneRoutesOptions;
};

/** Puts routes and sites together. Listens to nothing. */
export function createApp(plane: Plane, options: AppOptions): App {
  const { callers, requestedHost, serveSite } = options;
  const api = express();
  api.disable('x-powered-by');
  api.disable('etag');
  api.set('trust proxy', options.trustedProxies ?? false);
  api.use(helmet());
  api.use(
    mountRoutes(
      {
        callers,
        limits: options.limits,
        record: (change) => recordChange(plane.database.query, change),
        report: plane.report,
      },
      {
        ...planeRoutes(plane, options.plane),
        ...accountRoutes(plane),
        ...auditRoutes(plane),
        ...deploymentRoutes(plane, options.uses),
        ...projectRoutes(plane),
        ...environmentRoutes(plane),
        ...trustRoutes(plane, options.idTokens),
        ...buildRoutes(plane),
      },
    ),
  );
  const useInstead = serveSite ? undefined : `Use ${plane.settings.url}.`;
  const isProxy = proxyaddr.compile(options.trustedProxies ?? []);
  const isApi = (request: IncomingMessage) => requestedHost(request.headers.host).kind === 'api';
  return {
    answer(request, response) {
      const host = requestedHost(request.headers.host);
      if (host.kind === 'api') api(request, response);
      else if (host.kind === 'site' && serveSite) serveSite(host.label, request, response);
      else refuseHost(host.kind === 'site' ? host.label : host.name, response, useInstead);
    },
    attach: (server) =>
      attachSockets(server, plane, {
        callers,
        uses: options.uses,
        limits: options.limits,
        addressOf: (request) => proxyaddr(request, isProxy),
        isApi,
      }),
  };
}

/** Answers a request that came by a foreign host name. */
export function refuseHost(
  name: string,
  response: ServerResponse,
  hint = 'Use http://localhost or a site at http://SLUG.localhost, with the port of the plane.',
): void {
  const error = new SphereError('HOST_REFUSED', `this plane does not answer to the host name "${name}"`, {
    hint,
  });
  response.writeHead(httpStatusOf(error.code), { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ error: error.toBody() }));
}

/** How Node answers requests that it cannot read, by its errors; all others are 400. */
const unreadable: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** An HTTP server for `answer` with the timeouts that the plane's own clients count on. */
export function createHttpServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  speed?: LeastSpeed,
): Server {
  const server = createServer(
    {
      keepAliveTimeout: 75_000,
      headersTimeout: 20_000,
      // Uploads take as long as they take, as long as they go on: see `endWhenSlow`.
      requestTimeout: 0,
      connectionsCheckingInterval: 5_000,
    },
    (request, response) => {
      endWhenSlow(request, speed);
      answer(request, response);
    },
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // A browser that goes away in mid-request is no event for anybody.
    if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
    const status = unreadable[error.code ?? ''] ?? '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
  return server;
}
