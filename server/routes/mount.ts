/** Mounts the routes of `contract/routes.ts`: each is authorised, parsed and answered in the same way. */
import { randomUUID } from 'node:crypto';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import { type ErrorCode, httpStatusOf, SphereError } from '../../contract/errors.ts';
import { type Route, type RouteName, routes } from '../../contract/routes.ts';
import { type Asker, askedBy } from '../asked-by.ts';
import { attemptOf, type Caller, type Callers, type Holder, type Named } from '../callers.ts';
import { databaseAway, isConnectionFailure } from '../database/away.ts';
import type { RateLimits } from '../rate-limits.ts';

export type RouteContext = {
  request: Request;
  response: Response;
  caller: Caller;
  /** A parameter of the route's path. */
  parameter(name: string): string;
  /** The account that calls. */
  account(): string;
  /** Whose token it is that calls. */
  holder(): Holder;
  /** Throws `NOT_FOUND` for a project that the token does not reach: for what no path names. */
  reach(project: string): void;
  /** The attempt that a builder's route names. */
  attempt(): { deployment: string; attempt: number };
};

/** What a route does. What it returns is the answer's body; `undefined` when it has answered itself. */
export type Answer = (context: RouteContext) => Promise<unknown>;
/** `json` (the default) parses the body up to its limit; `stream` leaves it to the route. */
export type RouteDefinition = {
  answer: Answer;
  body?: { json: string } | 'stream';
  /** It costs memory and time: an account has few at a time. */
  heavy?: true;
};
export type RouteTable = Partial<Record<RouteName, RouteDefinition>>;

export type MountOptions = {
  callers: Callers;
  limits: RateLimits | null;
  /** Writes down a change that no use case has written down in a transaction of its own. */
  record(change: { action: RouteName; project: string | null; object: string | null }): Promise<void>;
  report(message: string, error: unknown): void;
};

/** What somebody is told who shows no token that counts. Of an attempt that is over, no token counts. */
const strangers: ReadonlySet<ErrorCode> = new Set(['NOT_SIGNED_IN', 'ATTEMPT_STALE']);

/** A router with every route of the contract, and the error answer behind them. Throws when `table` lacks one. */
export function mountRoutes({ callers, limits, record, report }: MountOptions, table: RouteTable) {
  const router = express.Router();
  router.use((_, response, next) => {
    response.set('x-request-id', randomUUID());
    response.set('cache-control', 'no-store');
    next();
  });
  for (const name of Object.keys(routes) as RouteName[]) {
    const definition = table[name];
    if (!definition) throw new Error(`nothing answers ${name}, which the contract promises`);
    const row: Route = routes[name];
    const { method, path } = row;
    const authorise: RequestHandler = async (request, response, next) => {
      if (request.originalUrl.includes('%00')) throw new SphereError('REQUEST_INVALID', 'the path holds NUL');
      try {
        response.locals.caller = await callers.identify(row, request.headers.authorization, namedIn(request));
      } catch (error) {
        if (limits === null || !(error instanceof SphereError) || !strangers.has(error.code)) throw error;
        return limits.refused(request, response, (limited?: unknown) => next(limited ?? error));
      }
      next();
    };
    const answer: RequestHandler = async (request, response) => {
      const asker = askerOf(request, response);
      const body = await askedBy(asker, async () => {
        const answer = await definition.answer(contextOf(request, response));
        if (method !== 'get' && !row.unaudited && !asker.recorded)
          await record({ action: name, ...objectOf(request, response.locals.caller as Caller) });
        return answer;
      });
      if (body !== undefined && !response.headersSent) response.json(body);
    };
    const { body } = definition;
    // A body is read only for somebody who may call.
    const parse =
      body === 'stream'
        ? []
        : [
            express.json({
              limit: body?.json ?? '1mb',
              // No client of ours compresses: what inflates to more than it is, is refused unread.
              inflate: false,
              strict: true,
              verify: refuseNul,
              reviver: wellFormed,
            }),
          ];
    const heavy = definition.heavy && limits ? [limits.heavy] : [];
    const rate = limits === null ? [] : [limits.caller, ...heavy];
    router[method](path, authorise, ...rate, ...parse, answer);
  }
  router.use((request) => {
    throw new SphereError('NOT_FOUND', `there is no ${request.method} ${request.path}`);
  });
  router.use(answerError(report));
  return router;
}

/** An escape that stands for NUL, which PostgreSQL keeps in no text: stored later, it would fail as a bug of ours. */
const nulEscape = /(?<!\\)(?:\\\\)*\\u0000/;

function refuseNul(_request: unknown, _response: unknown, body: Buffer): void {
  if (body.includes('\\u0000') && nulEscape.test(body.toString()))
    throw new Error('it holds the character NUL');
}

const surrogate = /[\ud800-\udfff]/;

/** Half an emoji, left over where somebody cut a text: PostgreSQL takes no such JSON. */
function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' && surrogate.test(value) ? Buffer.from(value).toString() : value;
}

const namedIn = (request: Request) => request.params as Named;

function askerOf(request: Request, response: Response): Asker {
  const caller = response.locals.caller as Caller;
  const holder = 'holder' in caller ? caller.holder : undefined;
  return {
    ...actorOf(caller, namedIn(request)),
    account: holder?.account ?? (caller.kind === 'builder' ? caller.account : null),
    token: holder?.token ?? null,
    address: request.ip ?? null,
    requestId: String(response.getHeader('x-request-id')),
    recorded: false,
  };
}

function actorOf(caller: Caller, named: Named): Pick<Asker, 'kind' | 'id'> {
  if ('holder' in caller) {
    const { account, token, subject } = caller.holder;
    if (account === null) return { kind: 'admin', id: token };
    return subject === null ? { kind: 'token', id: token } : { kind: 'job', id: subject };
  }
  if (caller.kind === 'nobody') return { kind: 'nobody', id: null };
  return { kind: 'builder', id: `${named.deployment}#${named.attempt}` };
}

/** What a request is about, as far as its path and body say. */
function objectOf(request: Request, caller: Caller): { project: string | null; object: string | null } {
  const { slug, id, name, account, deployment } = namedIn(request);
  const { project } = (request.body ?? {}) as { project?: unknown };
  const built = caller.kind === 'builder' ? caller.project : null;
  return {
    project: slug ?? (typeof project === 'string' ? project.slice(0, 63) : built),
    object: id ?? name ?? deployment ?? account ?? null,
  };
}

function contextOf(request: Request, response: Response): RouteContext {
  const caller = response.locals.caller as Caller;
  return {
    request,
    response,
    caller,
    parameter: (name) => String((request.params as Record<string, string>)[name]),
    account() {
      if (caller.kind !== 'account') throw new Error('this route is not for accounts');
      return caller.account;
    },
    holder() {
      if (!('holder' in caller)) throw new Error('this route is not for holders of tokens');
      return caller.holder;
    },
    reach(project) {
      const only = 'holder' in caller ? caller.holder.project : null;
      if (only === null || only === project) return;
      throw new SphereError('NOT_FOUND', `there is no project "${project}" for this token`, {
        hint: `It is for the project "${only}" alone.`,
      });
    },
    attempt: () => attemptOf(namedIn(request)),
  };
}

/** `value` as `schema` has it. Throws `REQUEST_INVALID` naming every problem with its path. */
export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const details = result.error.issues
    .slice(0, 20)
    .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
  throw new SphereError('REQUEST_INVALID', details[0] ?? 'the request is not valid', { details });
}

function answerError(report: (message: string, error: unknown) => void): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const known = asSphereError(error);
    const requestId = String(response.getHeader('x-request-id') ?? '');
    if (!known || known.code === 'INFRASTRUCTURE')
      report(`${request.method} ${request.path} (${requestId})`, error);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const shown = known ?? new SphereError('INTERNAL', 'the plane met a bug');
    response.status(httpStatusOf(shown.code)).json({ error: { ...shown.toBody(), requestId } });
  };
}

function asSphereError(error: unknown): SphereError | undefined {
  if (error instanceof SphereError) return error;
  if (isConnectionFailure(error)) return databaseAway(error);
  // What Express's own body parser throws.
  const { type, status, message } = error as { type?: string; status?: number; message?: string };
  if (type === 'entity.too.large') return new SphereError('TOO_LARGE', 'the request body is too large');
  if (typeof type === 'string' && status !== undefined && status < 500) {
    return new SphereError('REQUEST_INVALID', `the request body cannot be read: ${message}`);
  }
  if (error instanceof URIError) return new SphereError('REQUEST_INVALID', 'the path is not valid');
  return undefined;
}
