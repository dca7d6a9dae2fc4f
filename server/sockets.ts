/** Socket.IO: followers of logs, on `/v1/socket`. */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { Server, type Socket } from 'socket.io';
import { SphereError } from '../contract/errors.ts';
import {
  type ClientEvents,
  type FollowAnswer,
  type FollowRequest,
  followPath,
  type PlaneEvents,
} from '../contract/logs.ts';
import { socketEvents } from '../contract/routes.ts';
import type { Callers, Holder } from './callers.ts';
import { findDeployment } from './deployments.ts';
import { gatherWakes } from './gathered-wakes.ts';
import { prepareReading } from './old-logs.ts';
import type { OpenUses } from './open-uses.ts';
import type { Plane } from './plane.ts';
import type { RateLimits } from './rate-limits.ts';
import { type FollowedLogs, sendLog } from './send-log.ts';

type FollowerData = { holder: Holder };
type FollowerSocket = Socket<ClientEvents, PlaneEvents, Record<string, never>, FollowerData>;

export type SocketOptions = {
  callers: Callers;
  uses: OpenUses;
  limits: RateLimits | null;
  /** Where a request comes from. */
  addressOf(request: IncomingMessage): string;
  /** Whether a request's Host is the API's own. */
  isApi(request: IncomingMessage): boolean;
};

/** The most logs that one connection follows at a time. */
const maxFollowed = 8;

/** How long a connection may take to say who it is, in milliseconds. */
const introductionMs = 10_000;

/** Attaches to `server`. */
export function attachSockets(
  server: HttpServer,
  plane: Plane,
  { callers, uses, limits, addressOf, isApi }: SocketOptions,
): { close(): Promise<void> } {
  const io = new Server<ClientEvents, PlaneEvents, Record<string, never>, FollowerData>(server, {
    path: followPath,
    transports: ['websocket'],
    serveClient: false,
    // Log text goes over loopback or through a proxy that compresses; here it would cost the CPU of the build.
    perMessageDeflate: false,
    maxHttpBufferSize: 64 * 1024,
    connectTimeout: introductionMs,
    // A replica that stands still is left for another one after 25 s at the latest.
    pingInterval: 10_000,
    pingTimeout: 15_000,
    allowRequest: (request, decide) => decide(null, isApi(request)),
  });
  io.use(async (socket, next) => {
    const { token } = socket.handshake.auth as { token?: unknown };
    try {
      const holder = typeof token === 'string' ? await callers.findHolder(token) : null;
      if (holder === null) {
        await limits?.socket.refused(addressOf(socket.request));
        return next(new Error('NOT_SIGNED_IN'));
      }
      await limits?.socket.asked(holder.token);
      await callers.admit(socketEvents.connect, holder, {});
      socket.data.holder = holder;
      // A removal that falls between the look at the token and this is seen by the next look at all that is open.
      const release = uses.hold(holder, () => socket.conn.close());
      socket.conn.once('close', release);
      // It may have closed while its token was looked up: nothing tells of it any more.
      if (socket.conn.readyState !== 'open') return release();
      next();
    } catch (error) {
      if (isFinal(error)) return next(new Error('NOT_SIGNED_IN'));
      if (!isLimit(error)) plane.report('a token could not be checked', error);
      // A refusal would be final: a client whose connection breaks comes back.
      socket.conn.close();
    }
  });
  const logs = { read: plane.logs.read, watch: gatherWakes(plane.logs.watch) };
  io.on('connection', (socket) => serveFollower({ plane, callers, limits, logs }, socket));
  return {
    close: () =>
      new Promise((resolve) => {
        // Whoever follows a log over HTTP would otherwise keep the server open until its end.
        server.closeAllConnections();
        void io.close(() => resolve());
      }),
  };
}

const isLimit = (error: unknown) => error instanceof SphereError && error.code === 'RATE_LIMITED';

/** Whether trying again changes nothing. */
const isFinal = (error: unknown): error is SphereError =>
  error instanceof SphereError && error.code !== 'INFRASTRUCTURE' && !isLimit(error);

type Serving = { plane: Plane; callers: Callers; limits: RateLimits | null; logs: FollowedLogs };

function serveFollower({ plane, callers, limits, logs }: Serving, socket: FollowerSocket): void {
  const followed = new Set<string>();
  const gone = new AbortController();
  socket.on('disconnect', () => gone.abort());
  socket.on('follow', async (request, answer) => {
    if (typeof answer !== 'function') return;
    let deployment: string | undefined;
    try {
      await limits?.socket.asked(socket.data.holder.token);
      deployment = await startFollowing({ plane, callers }, socket, followed, request);
      answer({ ok: true });
    } catch (error) {
      if (isFinal(error)) {
        answer({ ok: false, error: error.toBody() } satisfies FollowAnswer);
        return;
      }
      if (!isLimit(error)) plane.report('following a log failed', error);
      // A refusal would be final: the client comes back, and by then the database or Redis may have.
      socket.disconnect();
      return;
    }
    try {
      await sendLog(logs, socket, deployment, (request as FollowRequest).after, gone.signal);
    } catch (error) {
      plane.report('sending a log failed', error);
      // The client comes back with the number of its last line.
      socket.disconnect();
    } finally {
      followed.delete(deployment);
    }
  });
}

/** Checks that the socket may follow what it asks for, and notes that it does. */
async function startFollowing(
  { plane, callers }: Pick<Serving, 'plane' | 'callers'>,
  socket: FollowerSocket,
  followed: Set<string>,
  request: unknown,
): Promise<string> {
  const { deployment } = checkFollow(request);
  if (followed.has(deployment) || followed.size >= maxFollowed) {
    throw new SphereError('REQUEST_INVALID', 'this connection follows that log, or too many, already');
  }
  // Before anything is waited for: many may be asked for at once.
  followed.add(deployment);
  try {
    const { holder } = socket.data;
    await callers.admit(socketEvents.follow, holder, { id: deployment });
    const row = await findDeployment(plane.database.query, holder.account as string, deployment);
    await prepareReading(plane, row);
    return deployment;
  } catch (error) {
    followed.delete(deployment);
    throw error;
  }
}

function checkFollow(request: unknown): FollowRequest {
  const { deployment, after } = (request ?? {}) as Partial<FollowRequest>;
  // PostgreSQL takes no text with NUL in it: such an id would look like a database that fails.
  const named = typeof deployment === 'string' && /^\w{1,64}$/.test(deployment) ? deployment : null;
  if (named !== null && Number.isSafeInteger(after) && (after as number) >= 0) {
    return { deployment: named, after: after as number };
  }
  throw new SphereError(
    'REQUEST_INVALID',
    '"follow" takes a deployment and the number of the last line that is known',
  );
}
