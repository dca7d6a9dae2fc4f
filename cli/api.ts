/** The plane's REST interface as functions. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
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
import type {
  EnvironmentList,
  RemoveEnvironmentValueAnswer,
  SetEnvironmentValue,
  SetEnvironmentValueAnswer,
} from '../contract/environment-api.ts';
import type { EnvironmentScope } from '../contract/environment-values.ts';
import { SphereError } from '../contract/errors.ts';
import { type RouteName, routePath, routes } from '../contract/routes.ts';
import { version } from '../contract/version.ts';
import { expectSuccess, type PlaneAddress, retrying, sendPatiently } from './answers.ts';
import { createHttpClient, type HttpClient, readText } from './http.ts';
import { uploadSource } from './source-upload.ts';

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
  rollback(slug: string, deployment?: string): Promise<RollbackAnswer>;
  promote(slug: string, what: Promote): Promise<RollbackAnswer>;
  listTargets(slug: string): Promise<Target[]>;
  removeTarget(slug: string, name: string): Promise<RemoveTargetAnswer>;
  removeProject(slug: string): Promise<RemoveProjectAnswer>;
  listEnvironment(slug: string, scope?: EnvironmentScope): Promise<EnvironmentList['values']>;
  setEnvironmentValue(
    slug: string,
    name: string,
    request: SetEnvironmentValue,
  ): Promise<SetEnvironmentValueAnswer>;
  /** Without a scope: in both. */
  removeEnvironmentValue(
    slug: string,
    name: string,
    scope?: EnvironmentScope,
  ): Promise<RemoveEnvironmentValueAnswer>;
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
      json<CreateDeploymentAnswer>('createDeployment', {
        body,
        repeatable: true,
        headers: { [keyHeader]: randomUUID() },
      }).catch((error) =>
        explainSkew(error, () => json<Health>('health', { repeatable: false, timeoutMs: 2_000 })),
      ),
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
    rollback: (slug, deployment) =>
      json('rollback', {
        parameters: { slug },
        body: deployment === undefined ? {} : { deployment },
        repeatable: deployment !== undefined,
        timeoutMs: 5 * 60_000,
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
    listEnvironment: async (slug, scope) =>
      (
        await json<EnvironmentList>('listEnvironment', {
          parameters: { slug },
          query: { scope },
          repeatable: true,
        })
      ).values,
    setEnvironmentValue: (slug, name, body) =>
      json('setEnvironmentValue', { parameters: { slug, name }, body, repeatable: true }),
    removeEnvironmentValue: (slug, name, scope) =>
      json('removeEnvironmentValue', { parameters: { slug, name }, query: { scope }, repeatable: false }),
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

/** A plane of another version may not know what we ask for: then that is worth more than what exactly it did not know. */
async function explainSkew(error: unknown, askHealth: () => Promise<Health>): Promise<never> {
  if (!(error instanceof SphereError) || error.code !== 'REQUEST_INVALID') throw error;
  const health = await askHealth().catch(() => null);
  if (health === null || health.version === version) throw error;
  throw new SphereError('VERSION_MISMATCH', error.message, {
    hint: `The control plane is Sphere ${health.version}, this command is ${version}: use the version of the plane.`,
    cause: error,
  });
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
