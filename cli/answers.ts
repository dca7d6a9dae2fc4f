/** How the CLI takes what a plane answers: again while failures may pass, and as an error that a person can act on. */
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorBody, errorCodes, SphereError } from '../contract/errors.ts';
import { type Call, type HttpClient, readText } from './http.ts';

/** Where a plane answers. */
export type PlaneAddress = {
  url: string;
  token: string;
  /** What to say when the plane does not know the token; default: what the plane says. */
  refusal?: { message: string; hint: string };
};

/** Waits before the further tries. */
const backoffMs = [100, 400, 1500];

/** The longest that is waited for a plane that has had too many requests, in milliseconds. */
const patienceMs = 2 * 60_000;

/** Sends again what the plane did not take because there was too much of it, when the plane says. */
export async function sendPatiently(
  client: HttpClient,
  call: Call & { body?: string },
): Promise<IncomingMessage> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const answer = await client.send(call);
    const seconds = Number(answer.headers['retry-after']);
    if (answer.statusCode !== 429 || !(seconds > 0) || Date.now() + seconds * 1000 > until) return answer;
    answer.resume();
    // Not all at once, those who have waited for the same moment.
    await sleep(seconds * 1000 + Math.random() * 1000);
  }
}

/** Runs `attempt` again after failures that may pass: always when nothing was sent, else when it is `repeatable`. */
export async function retrying<T>(
  plane: PlaneAddress,
  repeatable: boolean,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTransient(error)) throw error;
      const wait = backoffMs[tries];
      const neverSent = codeOf(error) === 'ECONNREFUSED';
      // A plane that refuses connections is not there: whoever can start it should do so now.
      if (wait === undefined || neverSent || !repeatable) throw unreachable(plane, error);
      await sleep(wait);
    }
  }
}

/** `answer`, when it is a success. Throws the plane's own error, or that something else has answered. */
export async function expectSuccess(
  answer: IncomingMessage,
  refusal?: PlaneAddress['refusal'],
): Promise<IncomingMessage> {
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) return answer;
  const text = await readText(answer);
  const body = errorBody(text);
  if (body?.code === 'NOT_SIGNED_IN' && refusal) {
    throw new SphereError(body.code, refusal.message, { hint: refusal.hint, requestId: body.requestId });
  }
  if (body) throw SphereError.fromBody(body);
  // A proxy answered in the plane's place.
  const seen = `HTTP ${status}${text.trim() ? `: ${text.trim().slice(0, 200)}` : ''}`;
  throw new SphereError(
    status === 502 || status === 503 || status === 504 ? 'PLANE_UNREACHABLE' : 'INFRASTRUCTURE',
    `The address of the control plane answered with something that is not Sphere's: ${seen}.`,
    { hint: 'Check the address of the control plane; `sphere status` shows where it comes from.' },
  );
}

function errorBody(text: string): ErrorBody | null {
  try {
    const { error } = JSON.parse(text) as { error?: ErrorBody };
    if (typeof error?.code !== 'string' || typeof error.message !== 'string') return null;
    // A newer plane may know codes that this CLI does not.
    return errorCodes.includes(error.code) ? error : { ...error, code: 'INTERNAL' };
  } catch {
    return null;
  }
}

/** No answer, or one from a proxy that had none. Errors of the network have a code, bugs have none. */
function isTransient(error: unknown): error is Error {
  return error instanceof SphereError ? error.code === 'PLANE_UNREACHABLE' : codeOf(error) !== undefined;
}

function unreachable(plane: PlaneAddress, cause: Error): SphereError {
  if (cause instanceof SphereError) return cause;
  return new SphereError(
    'PLANE_UNREACHABLE',
    `The control plane at ${plane.url} does not answer: ${cause.message}.`,
    {
      hint: 'Check the address and the network, or see `sphere server status`.',
      cause,
    },
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
