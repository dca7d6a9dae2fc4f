/** A real embedded plane for tests, in a directory of its own, whose builders are played by the test over HTTP. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CreateDeployment, CreateDeploymentAnswer, Deployment } from '../../contract/api.ts';
import type { BuildSpec } from '../../contract/builder-api.ts';
import type { ErrorBody } from '../../contract/errors.ts';
import type { LogLine } from '../../contract/logs.ts';
import type { Manifest } from '../../contract/manifest.ts';
import { builderContractVersion } from '../../contract/version.ts';
import { readConfig } from '../../server/config.ts';
import { readKey } from '../../server/data-directory.ts';
import { openPlane } from '../../server/embedded-plane.ts';
import { createKeys } from '../../server/keys.ts';
import type { BuilderState, BuildRunner, RunnerRef } from '../../server/ports.ts';
import type { RunningServer } from '../../server/running-server.ts';

export type Answer<T> = { status: number; body: T };

export type TestPlane = Awaited<ReturnType<typeof startPlane>>;

/** Starts a plane in `home` (a fresh directory by default). Builders are started on paper only, unless `builds` is given. */
export async function startPlane(options: { home?: string; maxBuilds?: number; maxLogBytes?: number } = {}) {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'sphere-plane-')));
  const runner = createPaperRunner();
  const printed: string[] = [];
  const config = {
    ...readConfig({ home }, { PATH: process.env.PATH }),
    maxBuilds: options.maxBuilds ?? 2,
    maxLogBytes: options.maxLogBytes ?? 200_000_000,
  };
  const opened = await openPlane(config, (line) => printed.push(line), { builds: () => runner.builds });
  if ('held' in opened) throw new Error('the data directory is held');
  const server: RunningServer = opened;
  const keys = createKeys(await readKey(home));

  async function call<T>(
    method: string,
    path: string,
    body?: unknown,
    token = keys.accountToken,
    headers = {},
  ) {
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as T } satisfies Answer<T>;
  }

  return {
    home,
    url: server.url,
    token: keys.accountToken,
    runner,
    printed,
    call,
    /** What a request was refused with. */
    async refusal(method: string, path: string, body?: unknown, token?: string, headers = {}) {
      const answer = await call<{ error?: ErrorBody }>(method, path, body, token, headers);
      if (!answer.body.error) throw new Error(`${method} ${path} was not refused: ${answer.status}`);
      return answer.body.error;
    },
    async create(change: Partial<CreateDeployment> = {}, headers = {}) {
      const answer = await call<CreateDeploymentAnswer>(
        'POST',
        '/v1/deployments',
        request(change),
        undefined,
        headers,
      );
      return answer.body;
    },
    deployment: async (id: string) => (await call<Deployment>('GET', `/v1/deployments/${id}`)).body,
    /** Resolves when the deployment has ended (its log has). */
    async ended(id: string): Promise<{ deployment: Deployment; lines: LogLine[] }> {
      const response = await fetch(`${server.url}/v1/deployments/${id}/logs?follow=1`, {
        headers: { authorization: `Bearer ${keys.accountToken}` },
      });
      const text = await response.text();
      const lines = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LogLine]));
      return { deployment: (await call<Deployment>('GET', `/v1/deployments/${id}`)).body, lines };
    },
    bootstrapToken: (id: string, attempt: number) => keys.bootstrapToken(id, attempt),
    /** Plays the builder of an attempt that the plane has started. */
    builder: (id: string, attempt = 1) =>
      playBuilder(server.url, id, attempt, keys.bootstrapToken(id, attempt)),
    stop: () => server.stop(),
    async remove() {
      await server.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** A valid request for a deployment of a repository. */
export function request(change: Partial<CreateDeployment> = {}): CreateDeployment {
  return {
    project: 'site',
    projectNamed: false,
    origin: 'https://example.com/site.git',
    region: 'local',
    source: {
      kind: 'git',
      repository: 'https://example.com/site.git',
      commit: randomBytes(20).toString('hex'),
    },
    build: {},
    force: false,
    noCache: false,
    ...change,
  };
}

/** A runner that starts nothing and remembers what it was asked for. */
export function createPaperRunner({ startsOnce = false } = {}) {
  const started: { deployment: string; attempt: number }[] = [];
  const running = new Set<number>();
  const others: { deployment: string; attempt: number; ref: RunnerRef }[] = [];
  const stopped: number[] = [];
  let waiting: { key: string; resolve: () => void }[] = [];
  const keyOf = (build: { deployment: string; attempt: number }) => `${build.deployment} ${build.attempt}`;
  const pidOf = (ref: RunnerRef) => ('pid' in ref ? ref.pid : 0);
  const gone: BuilderState = {
    state: 'ended',
    reason: 'infrastructure',
    error: { code: 'INFRASTRUCTURE', message: 'the builder was gone' },
  };
  const builds: BuildRunner = {
    startsOnce,
    pollMs: 200,
    async start(build) {
      const before = startsOnce ? started.findIndex((one) => keyOf(one) === keyOf(build)) : -1;
      if (before !== -1) return { pid: before + 1, startedAt: 'paper' };
      started.push(build);
      running.add(started.length);
      for (const waiter of waiting) if (waiter.key === keyOf(build)) waiter.resolve();
      waiting = waiting.filter((waiter) => waiter.key !== keyOf(build));
      return { pid: started.length, startedAt: 'paper' };
    },
    states: async (refs) => refs.map((ref) => (running.has(pidOf(ref)) ? { state: 'running' } : gone)),
    async stop(ref) {
      running.delete(pidOf(ref));
      stopped.push(pidOf(ref));
      return true;
    },
    list: async () => others,
    cleanUp: async () => {},
  };
  return {
    builds,
    started,
    stopped,
    /** Builders that run and that nobody here has started. */
    others,
    /** The builder number `pid` is gone, without a word. */
    crash: (pid: number) => running.delete(pid),
    /** Resolves once the attempt has been started. */
    whenStarted(deployment: string, attempt = 1): Promise<void> {
      const key = `${deployment} ${attempt}`;
      if (started.some((build) => keyOf(build) === key)) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ key, resolve }));
    },
  };
}

/** The builder's side of the contract, a call at a time. */
export function playBuilder(url: string, deployment: string, attempt: number, bootstrapToken: string) {
  const token = randomBytes(32).toString('hex');
  const base = `${url}/v1/builds/${deployment}/${attempt}`;
  let batch = 0;
  async function post<T>(
    path: string,
    body: unknown,
    bearer = token,
  ): Promise<Answer<T & { error?: ErrorBody }>> {
    const response = await fetch(`${base}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as T & { error?: ErrorBody } };
  }
  const builder = {
    token,
    post,
    register: () =>
      post<BuildSpec>('/register', { contractVersion: builderContractVersion, token }, bootstrapToken),
    phase: (phase: string) => post('/phase', { phase }),
    log: (...texts: string[]) =>
      post<{ last: number; full: boolean }>('/logs', {
        batch: ++batch,
        lines: texts.map((text) => [Date.now(), 'build', 'stdout', text]),
      }),
    /** Uploads `files` and reports them as built. */
    async finish(files: Record<string, string>, serving: Manifest['serving'] = {}) {
      const answer = await builder.upload(files, serving);
      return answer.body.error ? answer : builder.built(answer.body.missing.length);
    },
    built: (uploaded = 0) => post('/result', { outcome: 'built', uploaded, uploadedBytes: 0, warnings: [] }),
    /** Uploads `files` and says no more. */
    async upload(files: Record<string, string>, serving: Manifest['serving'] = {}) {
      const contents = Object.entries(files).map(([path, text]) => {
        const bytes = Buffer.from(text);
        return { path, bytes, blob: createHash('sha256').update(bytes).digest('hex') };
      });
      const manifest: Manifest = {
        version: 1,
        files: Object.fromEntries(
          contents.map(({ path, bytes, blob }) => [path, { blob, bytes: bytes.length }]),
        ),
        serving,
      };
      const answer = await post<{
        missing: { blob: string; url: string; headers: Record<string, string> }[];
      }>('/manifest', manifest);
      for (const { blob, url: target, headers } of answer.body.missing ?? []) {
        const bytes = contents.find((content) => content.blob === blob)?.bytes ?? Buffer.alloc(0);
        await fetch(target, { method: 'PUT', headers, body: new Uint8Array(bytes) });
      }
      return answer;
    },
    fail: (reason = 'build_failed', code = 'BUILD_FAILED') =>
      post('/result', { outcome: 'failed', reason, error: { code, message: 'exit code 1' } }),
  };
  return builder;
}
