/** Replicas of a hosted plane in this process, on one database; builders are played by the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CreateToken } from '../../contract/accounts-api.ts';
import type { CreateDeployment, CreateDeploymentAnswer, Deployment } from '../../contract/api.ts';
import type { ErrorBody } from '../../contract/errors.ts';
import { createAccount } from '../../server/accounts.ts';
import { createDiskLogStore } from '../../server/adapters/disk-log-store.ts';
import { createDiskSiteStore } from '../../server/adapters/disk-site-store.ts';
import type { Database } from '../../server/database/database.ts';
import { duties } from '../../server/duties.ts';
import type { Issuer } from '../../server/id-tokens.ts';
import { createKeys, type Keys } from '../../server/keys.ts';
import type { Quotas } from '../../server/plane.ts';
import type { SiteStore } from '../../server/ports.ts';
import type { RateLimitOptions } from '../../server/rate-limits.ts';
import { openReplica } from '../../server/replica.ts';
import { createToken, ensureAdminToken } from '../../server/tokens.ts';
import { freePort } from '../peers/free-port.ts';
import { createPaperRunner, playBuilder, request } from './plane.ts';

export type Replicas = Awaited<ReturnType<typeof startReplicas>>;

export type ReplicasOptions = {
  replicas?: number;
  maxBuilds?: number;
  maxBuildsPerAccount?: number;
  quotas?: Quotas;
  leaseMs?: number;
  /** The keys of each replica. Default: the same for all. */
  keys?: readonly Keys[];
  issuers?: Issuer[];
  limits?: RateLimitOptions;
  /** Default: a replica's own address. */
  publicUrl?: string;
  /** What the replicas use in place of the store on disk. */
  sites?: (store: SiteStore) => SiteStore;
};

/** Starts replicas that share everything, as those of a hosted plane do; sites and logs are kept on disk. */
export async function startReplicas(database: Database, options: ReplicasOptions = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'sphere-replicas-'));
  const runner = createPaperRunner({ startsOnce: true });
  const logs = createDiskLogStore(join(directory, 'logs'), { maxBytes: 10_000_000 });
  const { sites: wrap = (store) => store } = options;
  const sites = wrap(createDiskSiteStore(join(directory, 'sites')));
  const keys = createKeys(Buffer.alloc(32, 7));
  const clock = { database, now: Date.now };
  await ensureAdminToken(clock, 'admin-'.repeat(6));
  const printed: string[] = [];
  const address = () => 'http://127.0.0.1:9/';
  const start = async (replica: number) => {
    const port = await freePort();
    return openReplica(
      {
        database,
        logs,
        sites: { ...sites, regions: ['eu-central-1', 'us-east-1'] },
        builds: runner.builds,
        keys: options.keys?.[replica] ?? keys,
        addresses: { site: address, direct: address, open: async () => null, close: async () => {} },
        settings: {
          maxBuilds: options.maxBuilds ?? 10,
          maxBuildsPerAccount: options.maxBuildsPerAccount ?? 10,
          quotas: options.quotas ?? { projects: 500, previews: 50 },
          timeLimitMs: 60_000,
          startLimitMs: 60_000,
          leaseMs: options.leaseMs ?? 30_000,
          exclusive: false,
          allowLocalRepository: false,
          gitHosts: [],
          url: options.publicUrl ?? `http://127.0.0.1:${port}`,
        },
        duties,
        listen: { host: '127.0.0.1', port },
        trustedProxies: [],
        issuers: options.issuers ?? [],
        limits: options.limits ?? null,
        waitingFor: () => [],
        prune: async () => ({ freedBytes: 0, parts: [] }),
      },
      [],
      (line) => printed.push(line),
    );
  };
  const running = await Promise.all(
    Array.from({ length: options.replicas ?? 2 }, (_, replica) => start(replica)),
  );
  const urlOf = (replica: number) => (running[replica % running.length] as (typeof running)[0]).url;

  async function call<T>(
    replica: number,
    token: string,
    method: string,
    path: string,
    body?: unknown,
    headers = {},
  ) {
    const response = await fetch(`${urlOf(replica)}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as T & { error?: ErrorBody } };
  }

  return {
    running,
    runner,
    printed,
    call,
    adminToken: 'admin-'.repeat(6),
    bootstrapToken: (id: string, attempt: number) => keys.bootstrapToken(id, attempt),
    /** A token of the account, which is made; it may do everything there, unless `change` says otherwise. */
    async account(name: string, change: Partial<CreateToken> = {}): Promise<string> {
      await createAccount(clock, name);
      return (await createToken(clock, name, { name: 'test', scope: 'admin', ...change })).token;
    },
    async create(replica: number, token: string, change: Partial<CreateDeployment> = {}, headers = {}) {
      const body = { ...request(change), region: change.region };
      return (await call<CreateDeploymentAnswer>(replica, token, 'POST', '/v1/deployments', body, headers))
        .body;
    },
    deployment: async (replica: number, token: string, id: string) =>
      (await call<Deployment>(replica, token, 'GET', `/v1/deployments/${id}`)).body,
    builder: (replica: number, id: string, attempt = 1) =>
      playBuilder(urlOf(replica), id, attempt, keys.bootstrapToken(id, attempt)),
    async stop() {
      await Promise.all(running.map((replica) => replica.stop()));
      await logs.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
