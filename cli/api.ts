/** The plane's REST interface as functions. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Account,
  AccountList,
  AuditList,
  CreateAccountAnswer,
  CreateToken,
  CreateTokenAnswer,
  CreateTrust,
  Exchange,
  ExchangeAnswer,
  RemoveTokenAnswer,
  RemoveTrustAnswer,
  TokenEntry,
  TokenList,
  Trust,
  TrustList,
} from '../contract/accounts-api.ts';
// Types only: the module itself would load zod, which takes longer than a deployment of what is live already.
import type {
  CreateDeployment,
  CreateDeploymentAnswer,
  Deployment,
  DeploymentList,
  Health,
  idempotencyHeader,
  PlaneStatus,
  Project,
  ProjectList,
  Promote,
  PruneAnswer,
  Redeploy,
  Region,
  RegionList,
  RemoveProjectAnswer,
  RemoveTargetAnswer,
  RollbackAnswer,
  RollbackPlan,
  SourceAnswer,
  SourceRequest,
  Target,
  TargetList,
  WhoAmI,
} from '../contract/api.ts';
import { type ErrorBody, errorCodes, SphereError } from '../contract/errors.ts';
import { type RouteName, routePath, routes } from '../contract/routes.ts';
import { type Call, createHttpClient, type HttpClient, readText } from './http.ts';

/** Where a plane answers. */
export type PlaneAddress = {
  url: string;
  token: string;
  /** What to say when the plane does not know the token; default: what the plane says. */
  refusal?: { message: string; hint: string };
};

/** Every function throws the plane's own SphereError, or PLANE_UNREACHABLE when there was no answer. */
export type Api = {
  health(timeoutMs?: number): Promise<Health>;
  whoAmI(): Promise<WhoAmI>;
  regions(): Promise<Region[]>;
  planeStatus(): Promise<PlaneStatus>;
  stopPlane(ifIdle: boolean): Promise<unknown>;
  prune(): Promise<PruneAnswer>;
  offerSource(source: SourceRequest): Promise<SourceAnswer>;
  /** `open` gives the tar.gz, of `bytes` bytes where that is known; it is called again for every further try. */
  uploadSource(
    upload: NonNullable<SourceAnswer['upload']>,
    open: () => Readable,
    bytes?: number,
  ): Promise<void>;
  createDeployment(request: CreateDeployment): Promise<CreateDeploymentAnswer>;
  getDeployment(id: string): Promise<Deployment>;
  redeploy(id: string, request: Redeploy): Promise<CreateDeploymentAnswer>;
  listDeployments(query: DeploymentQuery): Promise<Deployment[]>;
  pageDeployments(query: DeploymentQuery): Promise<DeploymentList>;
  cancelDeployment(id: string): Promise<Deployment>;
  /** The lines that are stored after seq `after`, as NDJSON. */
  readLogs(id: string, after: number): Promise<Readable>;
  listProjects(): Promise<Project[]>;
  pageProjects(query: { limit: number; after: string | undefined }): Promise<ProjectList>;
  getProject(slug: string): Promise<Project>;
  planRollback(slug: string, deployment: string | undefined): Promise<RollbackPlan>;
  /** `timeoutMs`: how long it is waited for; the plane goes on. */
  rollback(slug: string, deployment?: string, timeoutMs?: number): Promise<RollbackAnswer>;
  promote(slug: string, what: Promote): Promise<RollbackAnswer>;
  listTargets(slug: string): Promise<Target[]>;
  removeTarget(slug: string, name: string): Promise<RemoveTargetAnswer>;
  removeProject(slug: string): Promise<RemoveProjectAnswer>;
  createAccount(name: string): Promise<CreateAccountAnswer>;
  listAccounts(): Promise<Account[]>;
  createToken(account: string, token: CreateToken): Promise<CreateTokenAnswer>;
  listTokens(account: string): Promise<TokenEntry[]>;
  removeToken(account: string, id: string): Promise<RemoveTokenAnswer>;
  createTrust(account: string, trust: CreateTrust): Promise<Trust>;
  listTrusts(account: string): Promise<Trust[]>;
  removeTrust(account: string, id: string): Promise<RemoveTrustAnswer>;
  exchangeIdToken(request: Exchange): Promise<ExchangeAnswer>;
  listChanges(query: {
    project?: string | undefined;
    limit: number;
    before?: string | undefined;
  }): Promise<AuditList>;
  close(): void;
};

/** Which deployments are listed. `status` may name several, separated by commas. */
export type DeploymentQuery = {
  project?: string;
  limit?: number;
  before?: string | undefined;
  status?: string | undefined;
  branch?: string | undefined;
};

type Request = {
  parameters?: Record<string, string>;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  /** Repeating it changes nothing, so it may be sent again when it is not known whether it arrived. */
  repeatable: boolean;
  timeoutMs?: number;
};

const keyHeader: typeof idempotencyHeader = 'idempotency-key';
const answerTimeoutMs = 30_000;
/** Waits before the further tries. */
const backoffMs = [100, 400, 1500];

export function createApi(plane: PlaneAddress, client: HttpClient = createHttpClient()): Api {
  const json = <T>(name: RouteName, request: Request): Promise<T> =>
    send(client, plane, name, request, async (answer) => JSON.parse(await readText(answer)) as T);

  return {
    health: (timeoutMs = 2_000) => json('health', { repeatable: false, timeoutMs }),
    whoAmI: () => json('whoami', { repeatable: true, timeoutMs: 10_000 }),
    regions: async () => (await json<RegionList>('regions', { repeatable: true })).regions,
    planeStatus: () => json('plane', { repeatable: true }),
    stopPlane: (ifIdle) => json('stopPlane', { body: { ifIdle }, repeatable: false }),
    prune: () => json('prune', { body: {}, repeatable: false, timeoutMs: 10 * 60_000 }),
    offerSource: (source) => json('offerSource', { body: source, repeatable: true }),
    uploadSource: (upload, open, bytes) => uploadSource(client, plane, upload, open, bytes),
    createDeployment: (body) =>
      json('createDeployment', { body, repeatable: true, headers: { [keyHeader]: randomUUID() } }),
    getDeployment: (id) => json('getDeployment', { parameters: { id }, repeatable: true }),
    redeploy: (id, body) =>
      json('redeploy', {
        parameters: { id },
        body,
        repeatable: true,
        headers: { [keyHeader]: randomUUID() },
      }),
    pageDeployments: (query) => json('listDeployments', { query, repeatable: true }),
    listDeployments: async (query) =>
      (await json<DeploymentList>('listDeployments', { query, repeatable: true })).deployments,
    cancelDeployment: (id) => json('cancelDeployment', { parameters: { id }, repeatable: true }),
    readLogs: (id, after) =>
      send(client, plane, 'deploymentLogs', { parameters: { id }, query: { after }, repeatable: true }, asIs),
    listProjects: async () => (await json<ProjectList>('listProjects', { repeatable: true })).projects,
    pageProjects: (query) => json('listProjects', { query, repeatable: true }),
    getProject: (slug) => json('getProject', { parameters: { slug }, repeatable: true }),
    planRollback: (slug, deployment) =>
      json('planRollback', { parameters: { slug }, query: { deployment }, repeatable: true }),
    // Without an id, a second rollback would go back one deployment further.
    rollback: (slug, deployment, timeoutMs = 5 * 60_000) =>
      json('rollback', {
        parameters: { slug },
        body: deployment === undefined ? {} : { deployment },
        repeatable: deployment !== undefined,
        timeoutMs,
      }),
    // What is live already is not promoted again.
    promote: (slug, body) =>
      json('promote', { parameters: { slug }, body, repeatable: true, timeoutMs: 5 * 60_000 }),
    listTargets: async (slug) =>
      (await json<TargetList>('listTargets', { parameters: { slug }, repeatable: true })).targets,
    removeTarget: (slug, name) =>
      json('removeTarget', { parameters: { slug, name }, repeatable: false, timeoutMs: 10 * 60_000 }),
    // A site of many files takes long to empty.
    removeProject: (slug) =>
      json('removeProject', { parameters: { slug }, repeatable: false, timeoutMs: 10 * 60_000 }),
    createAccount: (name) => json('createAccount', { body: { name }, repeatable: true }),
    listAccounts: async () => (await json<AccountList>('listAccounts', { repeatable: true })).accounts,
    // Sent twice, it would leave a token that nobody knows.
    createToken: (account, body) => json('createToken', { parameters: { account }, body, repeatable: false }),
    listTokens: async (account) =>
      (await json<TokenList>('listTokens', { parameters: { account }, repeatable: true })).tokens,
    removeToken: (account, id) => json('removeToken', { parameters: { account, id }, repeatable: false }),
    createTrust: (account, body) => json('createTrust', { parameters: { account }, body, repeatable: false }),
    listTrusts: async (account) =>
      (await json<TrustList>('listTrusts', { parameters: { account }, repeatable: true })).trusts,
    removeTrust: (account, id) => json('removeTrust', { parameters: { account, id }, repeatable: false }),
    // An ID token is taken once.
    exchangeIdToken: (body) => json('exchangeIdToken', { body, repeatable: false }),
    listChanges: (query) => json('audit', { query, repeatable: true }),
    close: () => client.close(),
  };
}

const asIs = async (answer: IncomingMessage): Promise<Readable> => answer;

async function send<T>(
  client: HttpClient,
  plane: PlaneAddress,
  name: RouteName,
  request: Request,
  read: (answer: IncomingMessage) => Promise<T>,
): Promise<T> {
  const url = new URL(routePath(name, request.parameters), plane.url);
  for (const [key, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) url.searchParams.set(key, String(value));
  }
  const headers: Record<string, string> = { accept: 'application/json', ...request.headers };
  if (routes[name].principal !== 'nobody') headers.authorization = `Bearer ${plane.token}`;
  if (request.body !== undefined) headers['content-type'] = 'application/json';
  return retrying(plane, request.repeatable, async () => {
    const answer = await sendPatiently(client, {
      method: routes[name].method.toUpperCase(),
      url: url.href,
      headers,
      timeoutMs: request.timeoutMs ?? answerTimeoutMs,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    return read(await expectSuccess(answer, plane.refusal));
  });
}

async function uploadSource(
  client: HttpClient,
  plane: PlaneAddress,
  upload: NonNullable<SourceAnswer['upload']>,
  open: () => Readable,
  bytes?: number,
): Promise<void> {
  const url = new URL(upload.url, plane.url);
  if (url.origin !== new URL(plane.url).origin) {
    const elsewhere = { ...upload, url: url.href };
    if (bytes !== undefined) return uploadElsewhere(client, plane, elsewhere, open, bytes);
    const { spool } = await import('./spool.ts');
    const spooled = await spool(open());
    return uploadElsewhere(client, plane, elsewhere, spooled.open, spooled.bytes).finally(spooled.remove);
  }
  const headers: Record<string, string> = { 'content-type': 'application/gzip', ...upload.headers };
  headers.authorization ??= `Bearer ${plane.token}`;
  await retrying(plane, true, async () => {
    const content = open();
    // What made the content break off says more than the broken connection that follows from it.
    let broken: unknown;
    content.once('error', (error) => {
      broken = error;
    });
    try {
      const call = { method: 'PUT', url: url.href, headers, body: content, timeoutMs: 5 * 60_000 };
      (await expectSuccess(await client.send(call))).resume();
    } catch (error) {
      throw broken ?? error;
    }
  });
}

/** To a store that the plane has named: the token is for the plane and for nobody else. */
async function uploadElsewhere(
  client: HttpClient,
  plane: PlaneAddress,
  { url, headers }: NonNullable<SourceAnswer['upload']>,
  open: () => Readable,
  bytes: number,
): Promise<void> {
  await retrying(plane, true, async () => {
    const answer = await client.send({
      method: 'PUT',
      url,
      headers: { ...headers, 'content-length': String(bytes) },
      body: open(),
      timeoutMs: 5 * 60_000,
    });
    const status = answer.statusCode ?? 0;
    const text = await readText(answer);
    if (status >= 200 && status < 300) return;
    throw new SphereError(
      status >= 500 ? 'PLANE_UNREACHABLE' : 'INFRASTRUCTURE',
      `The store of the control plane, ${new URL(url).host}, answered the upload of the source with ${status}: ${text.slice(0, 200)}`,
      { hint: 'Deploy again; if it stays so, `sphere server check` on the plane looks for the cause.' },
    );
  });
}

/** The longest that is waited for a plane that has had too many requests, in milliseconds. */
const patienceMs = 2 * 60_000;

/** Sends again what the plane did not take because there was too much of it, when the plane says. */
async function sendPatiently(client: HttpClient, call: Call & { body?: string }): Promise<IncomingMessage> {
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
async function retrying<T>(plane: PlaneAddress, repeatable: boolean, attempt: () => Promise<T>): Promise<T> {
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

async function expectSuccess(
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
