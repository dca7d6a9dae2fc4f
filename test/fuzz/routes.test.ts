/**
 * 10,000 malformed requests at a hosted plane, drawn from the contract: every route and the socket's event, with callers
 * who may come in. No answer may be a 5xx, nothing may crash, memory may not grow, and afterwards a deployment works.
 */
import { request } from 'node:http';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc, { type Arbitrary } from 'fast-check';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { z } from 'zod';
import {
  createAccountSchema,
  createTokenSchema,
  createTrustSchema,
  exchangeSchema,
} from '../../contract/accounts-api.ts';
import {
  createDeploymentSchema,
  promoteSchema,
  redeploySchema,
  rollbackSchema,
  sourceRequestSchema,
  stopPlaneSchema,
} from '../../contract/api.ts';
import { keepCacheSchema, phaseSchema, registerSchema, resultSchema } from '../../contract/builder-api.ts';
import { setEnvironmentValueSchema } from '../../contract/environment-api.ts';
import { followPath } from '../../contract/logs.ts';
import { manifestSchema } from '../../contract/manifest.ts';
import { type Route, type RouteName, routes } from '../../contract/routes.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { type Replicas, startReplicas } from '../server/replicas.ts';
import { damaged, hostileTexts } from './damage.ts';
import { arbitraryOf } from './json-arbitrary.ts';

vi.setConfig({ testTimeout: 300_000 });

/** Another one tries other requests: `SPHERE_FUZZ_SEED=7 npx vitest run test/fuzz`. */
const seed = Number(process.env.SPHERE_FUZZ_SEED ?? 1);
const total = 10_000;
const atOnce = 12;

/** The body of each route. A route without a row does not compile. */
const bodies: Record<RouteName, z.ZodType | 'lines' | 'bytes' | null> = {
  health: null,
  whoami: null,
  regions: null,
  plane: null,
  stopPlane: stopPlaneSchema,
  prune: null,
  createAccount: createAccountSchema,
  listAccounts: null,
  createToken: createTokenSchema,
  listTokens: null,
  removeToken: null,
  createTrust: createTrustSchema,
  listTrusts: null,
  removeTrust: null,
  exchangeIdToken: exchangeSchema,
  audit: null,
  offerSource: sourceRequestSchema,
  uploadSource: 'bytes',
  createDeployment: createDeploymentSchema,
  listDeployments: null,
  getDeployment: null,
  cancelDeployment: null,
  redeploy: redeploySchema,
  deploymentLogs: null,
  listProjects: null,
  getProject: null,
  removeProject: null,
  listEnvironment: null,
  setEnvironmentValue: setEnvironmentValueSchema,
  removeEnvironmentValue: null,
  planRollback: null,
  rollback: rollbackSchema,
  promote: promoteSchema,
  listTargets: null,
  removeTarget: null,
  registerBuilder: registerSchema,
  buildSource: null,
  buildCredential: null,
  buildLogs: 'lines',
  buildPhase: phaseSchema,
  buildHeartbeat: null,
  buildManifest: manifestSchema,
  uploadBlob: 'bytes',
  buildCache: null,
  keepBuildCache: keepCacheSchema,
  buildResult: resultSchema,
};

let postgres: Postgres;
let plane: Replicas;
let closeDatabase: () => Promise<void>;
let team: string;
let building: { id: string; token: string; bootstrap: string };

beforeAll(async () => {
  postgres = await startPostgres();
  const url = await postgres.createDatabase();
  const database = await openPostgresDatabase({ url, connections: 10, report: () => {} });
  closeDatabase = () => database.close();
  plane = await startReplicas(database);
  team = await plane.account('team');
  await newBuilding();
}, 60_000);
afterAll(async () => {
  await plane.stop();
  await closeDatabase();
  await postgres.stop();
}, 60_000);

/** An attempt that its builder's requests may be about; damaged ones may end it. */
async function newBuilding(): Promise<void> {
  const { deployment } = await plane.create(0, team, { project: 'own-site', origin: 'own', force: true });
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(0, deployment.id);
  await builder.register();
  building = { id: deployment.id, token: builder.token, bootstrap: plane.bootstrapToken(deployment.id, 1) };
}

type Asked = {
  name: RouteName;
  /** Values of the path's parameters; null: one that is there. */
  parameters: (string | null)[];
  query: string;
  headers: Record<string, string>;
  body: string | null;
};

const text = fc.oneof(
  fc.constantFrom(...hostileTexts),
  fc.string({ maxLength: 60 }),
  fc.string({ unit: 'binary' }),
);
const escaped = fc.oneof(
  text.map((value) => encodeURIComponent(Buffer.from(value.slice(0, 500)).toString())),
  fc.constantFrom('%', '%ff', '%00', '%2e%2e', '..', ';', '%c0%af', 'a%2fb', '%F0%9F', '.', 'live'),
);
const query = fc
  .array(
    fc.tuple(
      fc.constantFrom(
        'limit',
        'before',
        'after',
        'project',
        'status',
        'branch',
        'scope',
        'deployment',
        'follow',
        'a[b][c]',
        '__proto__[x]',
        'preview',
        'since',
        'phase',
      ),
      escaped,
    ),
    { maxLength: 4 },
  )
  .map((pairs) => pairs.map(([key, value]) => `${key}=${value}`).join('&'));
const oneLine = (value: string) => value.replace(/[^\x20-\x7e]/g, '?');
const headers: Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.dictionary(
      fc.constantFrom(
        ...['content-type', 'content-encoding', 'idempotency-key', 'x-forwarded-for', 'range', 'expect'],
        ...['if-none-match', 'accept', 'origin', 'x-attempt', 'x-batch', 'authorization'],
      ),
      fc.oneof(
        text.map(oneLine),
        fc.constantFrom(
          'gzip',
          'br',
          'application/json; charset=utf-7',
          'text/plain',
          'Basic Og==',
          'bytes=0-',
        ),
      ),
      { maxKeys: 3, noNullPrototype: true },
    ),
  },
);

function bodyOf(name: RouteName): Arbitrary<string | null> {
  const schema = bodies[name];
  if (schema === null) return fc.oneof(fc.constant(null), text);
  if (typeof schema === 'string') return fc.oneof(text, fc.string({ unit: 'binary', maxLength: 2_000 }));
  const written = damaged(arbitraryOf(schema)).map((value) => JSON.stringify(value) ?? '');
  const torn = fc
    .tuple(written, fc.nat(), text)
    .map(
      ([whole, at, between]) => `${whole.slice(0, at % (whole.length + 1))}${between}${whole.slice(at % 7)}`,
    );
  return fc.oneof({ weight: 5, arbitrary: written }, { weight: 1, arbitrary: torn });
}

function requestsTo(name: RouteName): Arbitrary<Asked> {
  const row: Route = routes[name];
  const count = row.path.match(/:[a-z]+/gi)?.length ?? 0;
  // What is there may be looked at and damaged, but not be gone for those that come later.
  const known = row.method === 'delete' ? [] : [{ weight: 3, arbitrary: fc.constant(null) }];
  const parameter = fc.oneof(...known, { weight: 1, arbitrary: escaped });
  return fc.record({
    name: fc.constant(name),
    parameters: fc.array(parameter, { minLength: count, maxLength: count }),
    query,
    headers,
    body: row.method === 'get' ? fc.constant(null) : bodyOf(name),
  });
}

const knownParameters: Record<string, () => string> = {
  id: () => building.id,
  deployment: () => building.id,
  attempt: () => '1',
  slug: () => 'own-site',
  account: () => 'team',
  name: () => 'A_NAME',
  digest: () => 'a'.repeat(64),
  blob: () => 'b'.repeat(64),
};

function tokenFor({ principal }: Route): string {
  switch (principal) {
    case 'admin':
      return plane.adminToken;
    case 'builder':
      return building.token;
    case 'bootstrap':
      return building.bootstrap;
    default:
      return team;
  }
}

/** Sends what no client of ours would: paths and headers go out as they are. Resolves with the status, or how it was cut. */
function send(asked: Asked, replica: number): Promise<number | string> {
  const row: Route = routes[asked.name];
  let at = 0;
  const path = row.path.replace(/:([a-z]+)/gi, (_, key: string) => {
    const value = asked.parameters[at++];
    return value ?? (knownParameters[key] as () => string)();
  });
  const { hostname, port } = new URL(plane.running[replica]?.url as string);
  const body = Buffer.from(asked.body ?? '');
  const defaults = {
    authorization: `Bearer ${tokenFor(row)}`,
    'content-type': 'application/json',
    // Node frames no body of a DELETE by itself.
    'content-length': body.length,
  };
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        method: row.method.toUpperCase(),
        path: `${path}${asked.query && '?'}${asked.query}`.replace(/[^\x21-\x7e]/g, '%20'),
        headers: { ...defaults, ...asked.headers },
        agent: false,
      },
      (response) => {
        // A log that is followed has no end.
        const enough = setTimeout(() => response.destroy(), 500);
        response.resume();
        response.once('close', () => {
          clearTimeout(enough);
          resolve(response.statusCode ?? 0);
        });
      },
    );
    sent.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.setTimeout(20_000, () => reject(new Error(`no answer to ${JSON.stringify(asked).slice(0, 500)}`)));
    sent.end(body);
  });
}

/** Bytes of the heap in use, after what is not used was collected: what that sets free is collected after it. */
async function heapInUse(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let [before, used] = [Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER];
  while (before - used > 10_000) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    before = used;
    used = process.memoryUsage().heapUsed;
  }
  return used;
}

test('10,000 malformed requests get no 5xx, end no replica and leave nothing behind in memory', async () => {
  // What would end the replica is for its own test; here only what is no such request.
  const names = Object.keys(routes) as RouteName[];
  const each = Math.ceil(total / names.length);
  const asked = names.flatMap((name, index) => {
    const drawn = fc.sample(requestsTo(name), { numRuns: each, seed: seed + index });
    return name === 'stopPlane' ? drawn.filter(({ body }) => !stops(body)) : drawn;
  });
  // All routes take turns.
  const order = asked.map((one, at) => ({ one, turn: at % each })).sort((a, b) => a.turn - b.turn);
  const statuses = new Map<number | string, number>();
  const wrong: unknown[] = [];
  let early = 0;
  for (let from = 0; from < order.length; from += atOnce) {
    if (from % (atOnce * 40) === 0) await newBuilding();
    const answers = await Promise.all(
      order.slice(from, from + atOnce).map(async ({ one }, n) => [one, await send(one, n % 2)] as const),
    );
    for (const [one, status] of answers) {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (typeof status !== 'number' || status >= 500) wrong.push({ status, ...one });
    }
    if (early === 0 && from >= order.length * 0.4) early = await heapInUse();
  }
  const shown = wrong.slice(0, 5).map((one) => JSON.stringify(one).slice(0, 700));
  expect(shown, JSON.stringify(Object.fromEntries(statuses))).toEqual([]);
  expect(asked.length).toBeGreaterThan(total * 0.99);
  // Enough has come through the door to the work behind it, and enough was refused there.
  expect(statuses.get(400)).toBeGreaterThan(total * 0.3);
  expect([...statuses].filter(([status]) => Number(status) < 300).length).toBeGreaterThan(0);
  // What is being closed when the last answer has come is closed a little later.
  await expect.poll(async () => (await heapInUse()) - early).toBeLessThan(20_000_000);
  // Nothing was written of as a bug of ours.
  expect(plane.printed.filter((line) => /\b(?:GET|POST|PUT|DELETE) \/v1/.test(line))).toEqual([]);
});

function stops(body: string | null): boolean {
  try {
    return stopPlaneSchema.safeParse(JSON.parse(body ?? '')).success;
  } catch {
    return false;
  }
}

test('malformed events on the socket are refused or ignored, and the socket goes on', async () => {
  const socket = io(plane.running[0]?.url ?? '', {
    path: followPath,
    transports: ['websocket'],
    auth: { token: team },
    forceNew: true,
  });
  await new Promise((resolve) => socket.once('connect', () => resolve(null)));
  let disconnects = 0;
  socket.on('disconnect', () => disconnects++);
  const follow = fc.record({ deployment: text, after: fc.nat() });
  const drawn = fc.sample(
    fc.tuple(
      fc.constantFrom('follow', 'batch', 'end', 'x', '__proto__'),
      fc.oneof(follow, damaged(follow)),
      fc.boolean(),
    ),
    { numRuns: 1_000, seed },
  );
  for (const [event, value, acknowledged] of drawn) {
    if (event !== 'follow' || !acknowledged) socket.emit(event, value, value);
    else {
      const answer = (await socket.timeout(5_000).emitWithAck('follow', value)) as { ok: boolean };
      expect([value, answer.ok]).toEqual([value, false]);
    }
  }
  expect(await socket.timeout(5_000).emitWithAck('follow', { deployment: building.id, after: 0 })).toEqual({
    ok: true,
  });
  expect(disconnects).toBe(0);
  socket.close();
});

test('what is no HTTP is cut off', async () => {
  const { hostname, port } = new URL(plane.running[0]?.url as string);
  const lines = [
    'GARBAGE\r\n\r\n',
    'GET /v1/health HTTP/9.9\r\n\r\n',
    'GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    'POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
    'POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ];
  for (const line of lines) {
    const answer = await new Promise<string>((resolve, reject) => {
      let seen = '';
      const socket = connect(Number(port), hostname, () => socket.end(Buffer.from(line, 'latin1')));
      socket.setEncoding('latin1').on('data', (part) => {
        seen += part;
      });
      socket.on('error', () => resolve(seen)).on('close', () => resolve(seen));
      socket.setTimeout(10_000, () =>
        reject(new Error(`nothing becomes of ${JSON.stringify(line.slice(0, 80))}`)),
      );
    });
    expect(answer).not.toMatch(/^HTTP\/1\.1 (?:2|5)/);
  }
});

test('afterwards a deployment still works', async () => {
  const { deployment } = await plane.create(0, team, { project: 'afterwards', origin: 'afterwards' });
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(1, deployment.id);
  await builder.register();
  await builder.finish({ 'index.html': 'still here' });
  await expect.poll(async () => (await plane.deployment(1, team, deployment.id)).status).toBe('ready');
});
