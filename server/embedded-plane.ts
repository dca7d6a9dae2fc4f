/** Puts the embedded plane of one data directory together: lock, adapters, app, listen, work. */

import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { siteLabel } from '../contract/preview.ts';
import { version } from '../contract/version.ts';
import { LIVE, LOCAL_REGION } from '../contract/words.ts';
import { makeDataDirectory } from '../files/make-directory.ts';
import { packageRoot } from '../files/package-root.ts';
import { createDiskLogStore } from './adapters/disk-log-store.ts';
import { createDiskSiteStore } from './adapters/disk-site-store.ts';
import { createProcessRunner, type ProcessRunnerOptions } from './adapters/process-runner.ts';
import { createApp, createHttpServer } from './app.ts';
import { createCallers, EMBEDDED_ACCOUNT, embeddedHolder } from './callers.ts';
import { closeAll, describe } from './closing.ts';
import type { ServerConfig } from './config.ts';
import {
  dataPaths,
  readKey,
  readPort,
  readPreviousKey,
  removePlaneFile,
  writePlaneFile,
  writePort,
} from './data-directory.ts';
import { openEmbeddedDatabase } from './database/embedded.ts';
import type { Tables } from './database/tables.ts';
import { lockDirectory } from './directory-lock.ts';
import { duties } from './duties.ts';
import { requestedHost } from './hosts.ts';
import { createKeys, newId } from './keys.ts';
import { closeServer, createSiteListeners, listenForPlane } from './listeners.ts';
import { createOpenUses } from './open-uses.ts';
import type { Plane } from './plane.ts';
import type { BuildRunner } from './ports.ts';
import { type ProjectRow, siteOn } from './projects.ts';
import { prune } from './prune.ts';
import { removeEndedPreviews } from './remove-targets.ts';
import type { RunningServer } from './running-server.ts';
import { createSiteHandler } from './sites/serve.ts';
import { openPreview } from './targets.ts';
import { startWorkLoop, unlessStale, type WorkLoop } from './work-loop.ts';

/** What a test may replace. */
export type PlaneParts = { builds(options: ProcessRunnerOptions): BuildRunner };

/**
 * Starts the embedded plane of `config.home`. Answers `held` when another process serves it already. Throws
 * `PORT_TAKEN`. `log` takes one line for people.
 */
export async function openPlane(
  config: ServerConfig,
  log: (line: string) => void,
  parts: PlaneParts = { builds: createProcessRunner },
): Promise<RunningServer | { held: { pid: number; home: string } }> {
  makeDataDirectory(config.home);
  const lock = await lockDirectory(config.home);
  if ('heldBy' in lock) return { held: { pid: lock.heldBy.pid, home: config.home } };
  const closers: (() => Promise<void>)[] = [() => lock.release()];
  try {
    return await open(config, log, closers, parts);
  } catch (error) {
    await closeAll(closers, log);
    throw error;
  }
}

async function open(
  config: ServerConfig,
  log: (line: string) => void,
  closers: (() => Promise<void>)[],
  parts: PlaneParts,
): Promise<RunningServer> {
  const startedAt = new Date().toISOString();
  const paths = dataPaths(config.home);
  const report = (message: string, error?: unknown) => log(describe(message, error));
  const root = packageRoot();

  let app: ReturnType<typeof createApp> | undefined;
  const server = createHttpServer((request, response) => {
    if (app) return app.answer(request, response);
    response.writeHead(503, { 'retry-after': '1' }).end();
  });
  const storedPort = await readPort(config.home);
  const { port, moved } = await listenForPlane(server, config.port, storedPort);
  closers.push(() => closeServer(server));
  const url = `http://127.0.0.1:${port}`;

  const database = await openEmbeddedDatabase({
    directory: paths.database,
    backups: paths.backups,
    assets: join(root, 'dist', 'pglite'),
  });
  closers.push(() => database.close());
  await ensureAccount(database.query);
  const logs = createDiskLogStore(paths.logs, { maxBytes: config.maxLogBytes });
  closers.push(() => logs.close());
  const sites = createDiskSiteStore(paths.sites);
  // Duties run only while there is something to look at: a preview ends by the clock.
  const endOf = new Map<string, Date>();
  const hasEnded = (label: string) => (endOf.get(label)?.getTime() ?? Number.POSITIVE_INFINITY) <= Date.now();
  const serveSite = createSiteHandler({
    find: (label) => (hasEnded(label) ? null : sites.live(label)),
    blobFile: (slug, blob) => sites.blobFile(slug, blob),
    compressedDirectory: paths.compressed,
    report: (error) => report('serving a site failed', error),
  });
  const listeners = createSiteListeners(serveSite, () => port);
  closers.push(() => listeners.close());

  const ending = new AbortController();
  let loop: WorkLoop | undefined;
  const plane: Plane = {
    id: newId('pln'),
    database,
    logs,
    sites,
    builds: parts.builds({
      builderFile: join(root, 'dist', 'builder', 'main.cjs'),
      buildsDirectory: paths.builds,
      cacheDirectory: paths.cache,
      planeUrl: url,
      environment: config.environment,
    }),
    keys: createKeys(await readKey(config.home), await readPreviousKey(config.home)),
    settings: {
      maxBuilds: config.maxBuilds,
      maxBuildsPerAccount: config.maxBuilds,
      quotas: null,
      timeLimitMs: config.timeLimitMs,
      startLimitMs: 60_000,
      leaseMs: 30_000,
      exclusive: true,
      allowLocalRepository: true,
      gitHosts: [],
      url,
    },
    addresses: {
      site: (site) => `http://${siteLabel(site)}.localhost:${port}/`,
      direct: (site) => `http://127.0.0.1:${listeners.portOf(siteLabel(site)) ?? port}/`,
      open(site, wanted, expiresAt) {
        const label = siteLabel(site);
        if (expiresAt === null) endOf.delete(label);
        else endOf.set(label, expiresAt);
        return listeners.open(label, wanted);
      },
      async close(site) {
        endOf.delete(siteLabel(site));
        await listeners.closeOne(siteLabel(site));
      },
    },
    publishing: new Set(),
    ending: ending.signal,
    now: Date.now,
    wake: () => loop?.wake(),
    report,
    reportUnlessStale: unlessStale(report),
  };
  await openSites(plane);

  let shutDown = () => {};
  const asked = new Promise<void>((resolve) => {
    shutDown = resolve;
  });
  const directories = {
    sites: paths.sites,
    builds: paths.builds,
    cache: paths.cache,
    compressed: paths.compressed,
  };
  const uses = createOpenUses(plane);
  closers.push(() => uses.close());
  app = createApp(plane, {
    callers: createCallers(plane, embeddedHolder(plane)),
    uses,
    idTokens: null,
    limits: null,
    requestedHost,
    serveSite,
    plane: {
      dataDirectory: config.home,
      startedAt,
      waitingFor: () => [],
      async prune() {
        await removeEndedPreviews(plane);
        return prune(plane, directories);
      },
      shutDown,
    },
  });
  const sockets = app.attach(server);
  closers.push(() => sockets.close());
  loop = startWorkLoop(plane, duties);
  const { stop } = loop;
  closers.push(() => {
    ending.abort(new Error('the plane ends'));
    return stop();
  });
  await writePort(config.home, port);
  await writePlaneFile(config.home, { url, token: plane.keys.accountToken, pid: process.pid, version });
  closers.push(() => removePlaneFile(config.home));

  const ended = asked.then(() => closeAll(closers, log));
  return {
    url,
    home: config.home,
    notice: moved
      ? `port ${storedPort} is taken by another program: the sites have moved to port ${port}`
      : null,
    ended,
    async stop() {
      shutDown();
      await ended;
    },
  };
}

async function ensureAccount(query: Kysely<Tables>): Promise<void> {
  await query
    .insertInto('accounts')
    .values({ id: EMBEDDED_ACCOUNT, name: 'this machine', created_at: new Date() })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

/** Every site that was served before is served again, on its own port too. */
async function openSites(plane: Plane): Promise<void> {
  const { query } = plane.database;
  const projects = await query
    .selectFrom('projects')
    .selectAll()
    .where('bucket_location', '=', LOCAL_REGION)
    .execute();
  for (const project of projects) {
    const { id, port } = project;
    const now = await plane.addresses.open(siteOn(project, LIVE), port, null);
    if (now !== port) await query.updateTable('projects').set({ port: now }).where('id', '=', id).execute();
    const targets = await query.selectFrom('targets').selectAll().where('project_id', '=', id).execute();
    for (const target of targets) {
      if (target.name !== LIVE && target.removed_at === null) await openPreview(plane, project, target);
      await updateAddress(plane, project, target.name);
    }
  }
}

/** The plane's port, and with it every address, may be another one now. */
async function updateAddress(plane: Plane, project: ProjectRow, target: string): Promise<void> {
  const address = plane.addresses.site(siteOn(project, target));
  await plane.database.query
    .updateTable('deployments')
    .set({ deployment_url: address })
    .where('project_id', '=', project.id)
    .where('target', '=', target)
    .where('deployment_url', '<>', address)
    .execute();
}
