/** What the use cases need from the world, with the guarantees that they lean on. Adapters are in `adapters/`. */
import type { Readable } from 'node:stream';
import type { LogAnswer } from '../contract/builder-api.ts';
import type { ErrorBody } from '../contract/errors.ts';
import type { LogBatch, NewLine } from '../contract/logs.ts';
import type { Manifest } from '../contract/manifest.ts';
import type { EndReason } from '../contract/words.ts';

/**
 * Keeps each deployment's log.
 *
 * Guarantees: seq is 1, 2, 3 … per deployment without a gap, given in the append; an append that was answered survives
 * a `kill -9`; a batch delivered twice (same attempt and number) is stored once and answered with the same last seq;
 * a reader that returns with its cursor gets every later line once and in order. A store that can lose what it has
 * taken (Redis restarted empty) answers `again`, and gives the same lines the same numbers when they come again.
 */
export type LogStore = {
  /** Stores a builder's batch, or says which ones it needs first. `full`: nothing of this batch was kept. */
  append(
    deployment: string,
    from: { attempt: number; batch: number },
    lines: readonly NewLine[],
  ): Promise<LogAnswer>;
  /** Stores lines of the plane's own, and makes safe for good what came before them: also without any. */
  appendOwn(deployment: string, lines: readonly NewLine[]): Promise<void>;
  /** Ends the log: no line is stored from now on. */
  end(deployment: string): Promise<void>;
  /** At most `maxBytes` (but one line at least) after seq `after`. `ended` when nothing follows, ever. */
  read(
    deployment: string,
    after: number,
    maxBytes: number,
  ): Promise<{ batch: LogBatch | null; last: number; ended: boolean }>;
  /** Calls `changed` after every append and after the end, until the returned function is called. */
  watch(deployment: string, changed: () => void): () => void;
  remove(deployment: string): Promise<number>;
  close(): Promise<void>;
};

/** Keeps what is not public, by key, in the plane's own region: closed parts of logs. An object is there whole or not at all. */
export type ArtifactStore = {
  put(key: string, content: Buffer): Promise<void>;
  /** Null when there is no such object. */
  get(key: string): Promise<Buffer | null>;
  /** The keys that start with `prefix`, in ascending order. */
  list(prefix: string): Promise<{ key: string; bytes: number; modifiedAt: Date }[]>;
  remove(keys: readonly string[]): Promise<void>;
};

/** What a target of a project serves under one address. Blobs and manifests belong to its project. */
export type Site = {
  /** The project's id, which no other project ever has. */
  project: string;
  slug: string;
  region: string;
  /** `live`, or a preview's name. */
  target: string;
};

/** One change of what a site serves. */
export type SitePublication = {
  site: Site;
  /** The name of the manifest that is to be served; those of other deployments below are names of manifests, too. */
  deployment: string;
  /** The publication's order on its target. */
  order: number;
  /** The deployment that is live until now, or null. */
  live: string | null;
  /** Deployments that were live lately, newest first: their fingerprinted files stay reachable. */
  recent: readonly string[];
  /** Deployments whose publication began and did not finish since: their files may lie about. */
  unfinished: readonly string[];
  /** Aborted when this process may write no more: another one may be at it. */
  signal: AbortSignal;
  /**
   * Up to when this process may write, in milliseconds since 1970 by this machine's clock. To be asked before each
   * write: it moves while the lease is renewed. It counts where no timer does, in a process that stood still.
   */
  until(): number;
};

/** A `PUT` of one content, to be sent as it is. */
export type Upload = { url: string; headers: Record<string, string> };

/** Content that comes and goes through the plane's own routes. */
export type ThroughPlane = {
  kind: 'plane';
  putSource(account: string, digest: string, content: Readable): Promise<void>;
  openSource(account: string, digest: string): Promise<{ content: Readable; bytes: number }>;
  /** Throws `DIGEST_MISMATCH` when the content is not `blob`'s. */
  putBlob(site: Site, blob: string, content: Readable): Promise<void>;
};

/** Content that comes and goes by URLs that are signed for one object and a limited time. */
export type DirectTransfer = {
  kind: 'direct';
  /** An upload that is refused by the store itself when it is not this archive. */
  sourceUpload(account: string, digest: string, archive: { bytes: number; sha256: string }): Promise<Upload>;
  sourceDownload(account: string, digest: string): Promise<string>;
  /** An upload that is refused by the store itself when the content is not `blob`'s, or not of `bytes` bytes. */
  blobUploads(site: Site, blobs: readonly { blob: string; bytes: number }[]): Promise<Upload[]>;
  /** Where the archive `name` lies that builds of the site have left, else that of the live site's; null: nowhere. */
  cacheDownload(site: Site, name: string): Promise<string | null>;
  cacheUpload(site: Site, name: string, archive: { bytes: number; sha256: string }): Promise<Upload>;
};

/**
 * Keeps blobs, manifests and uploaded sources, and publishes sites.
 *
 * Guarantees: a blob is stored whole under its own SHA-256 or not at all; `publish` may be interrupted anywhere and
 * repeated, and what it has left half-way is repaired by the next publication that is told of it (`unfinished`).
 */
export type SiteStore = {
  /** Where sites may be kept; the first is the default. */
  regions: readonly string[];
  transfer: ThroughPlane | DirectTransfer;
  /**
   * Makes sure that the place of the site is there, ours and public, before anything is built for it. Safe to repeat.
   * Throws `SLUG_IN_USE` for a place that is not this project's, which it leaves untouched.
   */
  prepare(site: Site): Promise<void>;
  /** What of `manifest.serving` this store cannot do, a sentence each. */
  shortcomings(site: Site, manifest: Manifest): Promise<string[]>;
  hasSource(account: string, digest: string): Promise<boolean>;
  /** Forgets a source that is not what its digest says. */
  removeSource(account: string, digest: string): Promise<void>;
  missingBlobs(site: Site, blobs: ReadonlyMap<string, number>): Promise<string[]>;
  /** `name`: the deployment's id, with the attempt's number behind it from the second on. */
  putManifest(site: Site, name: string, manifest: Manifest): Promise<void>;
  /** Throws `NOT_FOUND` when there is none. */
  getManifest(site: Site, name: string): Promise<Manifest>;
  /** Makes `deployment` what the site serves. */
  publish(publication: SitePublication): Promise<void>;
  /**
   * Makes the site serve nothing: for a first publication that failed half-way, and for a project or preview that is
   * removed. Its place may go with it. `within`: as for a publication, where one is being carried out.
   */
  unpublish(
    site: Site,
    was: Pick<SitePublication, 'live' | 'recent' | 'unfinished'>,
    within?: Pick<SitePublication, 'signal' | 'until'>,
  ): Promise<void>;
};

/** A builder that has been started, in words that survive a restart of the plane. */
export type RunnerRef = { pid: number; startedAt: string } | { task: string };

/** What a look at a builder that has ended says of why it ended, when the builder itself did not report. */
export type BuilderEnd = { reason: Extract<EndReason, 'infrastructure' | 'out_of_memory'>; error: ErrorBody };

/** Whether a builder runs: `starting` until its program is known to have begun. */
export type BuilderState = { state: 'starting' } | { state: 'running' } | ({ state: 'ended' } & BuilderEnd);

export type Build = { deployment: string; attempt: number };

/** Starts, watches and stops builders. All may be called for a builder that another process of the plane started. */
export type BuildRunner = {
  /** `start` repeated for the same attempt answers with the builder that it started before, from any process. */
  startsOnce: boolean;
  /** How often `states` should be asked, in milliseconds. */
  pollMs: number;
  /** `lost`: how many attempts of the deployment have been lost to infrastructure. */
  start(build: Build & { bootstrapToken: string; lost: number }): Promise<RunnerRef>;
  /** One state for each of `refs`, in their order. */
  states(refs: readonly RunnerRef[]): Promise<BuilderState[]>;
  /**
   * Asks the builder and everything that it started to end. True once it is seen to have ended; until then it is called
   * again every few seconds.
   */
  stop(ref: RunnerRef): Promise<boolean>;
  /** Frees what the attempt left behind. */
  cleanUp(build: Build): Promise<void>;
  /** Every builder of this plane that runs, for finding those that nobody waits for. */
  list(): Promise<(Build & { ref: RunnerRef })[]>;
};
