/** Mounts the routes of `contract/routes.ts`: each is authorised, parsed and answered in the same way. */
import { randomUUID } from 'node:crypto';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import { httpStatusOf, SphereError } from '../../contract/errors.ts';
import { type RouteName, routes } from '../../contract/routes.ts';
import type { Caller, Callers } from '../callers.ts';

export type RouteContext = {
  request: Request;
  response: Response;
  caller: Caller;
  /** A parameter of the route's path. */
  parameter(name: string): string;
  /** The account that calls. */
  account(): string;
  /** The attempt that a builder's route names. */
  attempt(): { deployment: string; attempt: number };
};

/** What a route does. What it returns is the answer's body; `undefined` when it has answered itself. */
export type Answer = (context: RouteContext) => Promise<unknown>;
/** `json` (the default) parses the body up to its limit; `stream` leaves it to the route. */
export type RouteDefinition = { answer: Answer; body?: { json: string } | 'stream' };
export type RouteTable = Partial<Record<RouteName, RouteDefinition>>;

/** A router with every route of `table`, and the error answer behind them. */
export function mountRoutes(
  callers: Callers,
  table: RouteTable,
  report: (message: string, error: unknown) => void,
) {
  const router = express.Router();
  router.use((_, response, next) => {
    response.set('x-request-id', randomUUID());
    response.set('cache-control', 'no-store');
    next();
  });
  for (const [name, definition] of Object.entries(table) as [RouteName, RouteDefinition][]) {
    const { method, path, principal } = routes[name];
    const authorise: RequestHandler = async (request, response, next) => {
      if (request.originalUrl.includes('%00')) throw new SphereError('REQUEST_INVALID', 'the path holds NUL');
      const attempt = principal === 'builder' || principal === 'bootstrap' ? attemptOf(request) : undefined;
      response.locals.caller = await callers.identify(principal, request.headers.authorization, attempt);
      next();
    };
    const answer: RequestHandler = async (request, response) => {
      const body = await definition.answer(contextOf(request, response));
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
              strict: true,
              verify: refuseNul,
              reviver: wellFormed,
            }),
          ];
    router[method](path, authorise, ...parse, answer);
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

function attemptOf(request: Request): { deployment: string; attempt: number } {
  const { deployment, attempt } = request.params as { deployment?: string; attempt?: string };
  if (!deployment || !attempt || !/^[1-9]\d{0,8}$/.test(attempt)) {
    throw new SphereError('REQUEST_INVALID', 'the path names no attempt');
  }
  return { deployment, attempt: Number(attempt) };
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
    attempt: () => attemptOf(request),
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
    if (!known) report(`${request.method} ${request.path} (${requestId})`, error);
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
  // What Express's own body parser throws.
  const { type, status, message } = error as { type?: string; status?: number; message?: string };
  if (type === 'entity.too.large') return new SphereError('TOO_LARGE', 'the request body is too large');
  if (typeof type === 'string' && status !== undefined && status < 500) {
    return new SphereError('REQUEST_INVALID', `the request body cannot be read: ${message}`);
  }
  if (error instanceof URIError) return new SphereError('REQUEST_INVALID', 'the path is not valid');
  return undefined;
}
