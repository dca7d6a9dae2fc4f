/** The closed list of error codes, what each means for HTTP and for the CLI's exit code, and the one error type. */
import type { EndReason } from './words.ts';

/** The CLI's exit codes. Frozen: scripts depend on them. */
export const exitCodes = {
  done: 0,
  failure: 1,
  usage: 2,
  notAllowed: 3,
  inputNeeded: 4,
  buildFailed: 5,
  infrastructure: 6,
  cancelled: 7,
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** One sentence per exit code, for `--help` and the reference page. */
export const exitCodeMeanings: Record<ExitCode, string> = {
  0: 'done',
  1: 'failure, or a question was answered with no',
  2: 'wrong usage or configuration',
  3: 'not signed in or not allowed',
  4: 'input is needed; the message names the flag that gives it',
  5: 'the build failed',
  6: 'infrastructure, or --timeout is over; worth a retry',
  7: 'cancelled elsewhere, superseded or outrun by a newer deployment',
  130: 'interrupted here (Ctrl-C)',
};

const codes = {
  USAGE: { http: 400, exit: exitCodes.usage },
  CONFIGURATION_INVALID: { http: 400, exit: exitCodes.usage },
  REQUEST_INVALID: { http: 400, exit: exitCodes.usage },
  INPUT_NEEDED: { http: 400, exit: exitCodes.inputNeeded },
  PLANE_NOT_CHOSEN: { http: 400, exit: exitCodes.inputNeeded },
  NOT_SIGNED_IN: { http: 401, exit: exitCodes.notAllowed },
  NOT_ALLOWED: { http: 403, exit: exitCodes.notAllowed },
  HOST_REFUSED: { http: 421, exit: exitCodes.notAllowed },
  NOT_FOUND: { http: 404, exit: exitCodes.failure },
  SLUG_IN_USE: { http: 409, exit: exitCodes.inputNeeded },
  IDEMPOTENCY_KEY_REUSED: { http: 409, exit: exitCodes.usage },
  ATTEMPT_STALE: { http: 409, exit: exitCodes.cancelled },
  ALREADY_ENDED: { http: 409, exit: exitCodes.failure },
  PUBLISHING: { http: 409, exit: exitCodes.failure },
  NOTHING_TO_ROLL_BACK: { http: 409, exit: exitCodes.failure },
  NOT_PUBLISHED: { http: 409, exit: exitCodes.failure },
  PLANE_BUSY: { http: 409, exit: exitCodes.failure },
  LIMIT_REACHED: { http: 409, exit: exitCodes.failure },
  DIGEST_MISMATCH: { http: 422, exit: exitCodes.infrastructure },
  TOO_LARGE: { http: 413, exit: exitCodes.failure },
  SOURCE_UNAVAILABLE: { http: 422, exit: exitCodes.failure },
  SOURCE_REFUSED: { http: 422, exit: exitCodes.usage },
  BUILD_FAILED: { http: 422, exit: exitCodes.buildFailed },
  BUILD_OUT_OF_MEMORY: { http: 422, exit: exitCodes.buildFailed },
  BUILD_TIMED_OUT: { http: 422, exit: exitCodes.buildFailed },
  BUILD_SILENT: { http: 422, exit: exitCodes.infrastructure },
  NOT_STATIC: { http: 422, exit: exitCodes.buildFailed },
  OUTPUT_INVALID: { http: 422, exit: exitCodes.buildFailed },
  SECRET_IN_OUTPUT: { http: 422, exit: exitCodes.buildFailed },
  DEPLOYMENT_CANCELLED: { http: 409, exit: exitCodes.cancelled },
  DEPLOYMENT_SUPERSEDED: { http: 409, exit: exitCodes.cancelled },
  DEPLOYMENT_OUTRUN: { http: 409, exit: exitCodes.cancelled },
  INTERRUPTED: { http: 499, exit: exitCodes.interrupted },
  RATE_LIMITED: { http: 429, exit: exitCodes.infrastructure },
  PUBLISH_FAILED: { http: 500, exit: exitCodes.infrastructure },
  PLANE_UNREACHABLE: { http: 503, exit: exitCodes.infrastructure },
  PLANE_START_FAILED: { http: 503, exit: exitCodes.infrastructure },
  PORT_TAKEN: { http: 503, exit: exitCodes.failure },
  VERSION_MISMATCH: { http: 426, exit: exitCodes.failure },
  WAIT_TIMED_OUT: { http: 504, exit: exitCodes.infrastructure },
  DISK_FULL: { http: 507, exit: exitCodes.infrastructure },
  INFRASTRUCTURE: { http: 503, exit: exitCodes.infrastructure },
  INTERNAL: { http: 500, exit: exitCodes.failure },
} as const satisfies Record<string, { http: number; exit: ExitCode }>;

export type ErrorCode = keyof typeof codes;

/** Every code, in the order of the table above. */
export const errorCodes = Object.keys(codes) as ErrorCode[];

/** The HTTP status that carries `code`. */
export function httpStatusOf(code: ErrorCode): number {
  return codes[code].http;
}

/** The exit code with which the CLI ends on `code`. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  return codes[code].exit;
}

/** How a deployment that ended for `reason` is reported as an error. `ignored` is not an error. */
export const codeOfReason: Record<Exclude<EndReason, 'ignored'>, ErrorCode> = {
  user: 'DEPLOYMENT_CANCELLED',
  superseded: 'DEPLOYMENT_SUPERSEDED',
  outrun: 'DEPLOYMENT_OUTRUN',
  build_failed: 'BUILD_FAILED',
  out_of_memory: 'BUILD_OUT_OF_MEMORY',
  timeout: 'BUILD_TIMED_OUT',
  silent: 'BUILD_SILENT',
  source_unavailable: 'SOURCE_UNAVAILABLE',
  configuration_invalid: 'CONFIGURATION_INVALID',
  not_static: 'NOT_STATIC',
  output_invalid: 'OUTPUT_INVALID',
  publish_failed: 'PUBLISH_FAILED',
  infrastructure: 'INFRASTRUCTURE',
};

/** An error as it travels in JSON, in responses and in `--json` output. */
export type ErrorBody = {
  code: ErrorCode;
  /** What happened and what was seen, in one or two sentences. */
  message: string;
  /** The next step. */
  hint?: string | undefined;
  /** More lines of what was seen, such as a failing command's last output. */
  details?: string[] | undefined;
  requestId?: string | undefined;
};

/** An expected failure: something that a person can act on. Anything else that is thrown is a bug. */
export class SphereError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: string[] | undefined;
  readonly requestId: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: {
      hint?: string | undefined;
      details?: string[] | undefined;
      requestId?: string | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = 'SphereError';
    this.code = code;
    this.hint = more.hint;
    this.details = more.details;
    this.requestId = more.requestId;
  }

  /** The error as plain data. */
  toBody(): ErrorBody {
    const { code, message, hint, details, requestId } = this;
    return {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details }),
      ...(requestId === undefined ? {} : { requestId }),
    };
  }

  /** The error that `body` describes, so that it can be thrown on this side of the wire. */
  static fromBody(body: ErrorBody, cause?: unknown): SphereError {
    return new SphereError(body.code, body.message, { ...body, cause });
  }
}
