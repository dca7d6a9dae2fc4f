/** What the use cases need from the world, with the guarantees that they lean on. Adapters are in `adapters/`. */
import type { Readable } from 'node:stream';
import type { LogBatch, NewLine } from '../contract/logs.ts';
import type { Manifest, ManifestFile } from '../contract/manifest.ts';

/**
 * Keeps each deployment's log.
 *
 * Guarantees: seq is 1, 2, 3 … per deployment without a gap, given in the append; an append that was answered survives
 * a `kill -9`; a batch delivered twice (same attempt and number) is stored once and answered with the same last seq;
 * a reader that returns with its cursor gets every later line once and in order.
 */
export type LogStore = {
  /** Stores a builder's batch. `full` when the deployment's limit is reached: nothing of this batch was kept. */
  append(
    deployment: string,
    from: { attempt: number; batch: number },
    lines: readonly NewLine[],
  ): Promise<{ last: number; full: boolean }>;
  /** Stores lines of the plane's own. */
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

/** What a target serves now. */
export type LiveSite = {
  project: string;
  deployment: string;
  /** The publication's order on its target. */
  order: number;
  manifest: Manifest;
  /** Fingerprinted files of what was live lately and is no longer in the manifest, so that open tabs keep their chunks. */
  retained: ReadonlyMap<string, ManifestFile>;
};

/**
 * Keeps blobs, manifests and uploaded sources, and serves sites.
 *
 * Guarantees: a blob is stored whole under its own SHA-256 or not at all; a site is always one whole deployment:
 * `publish` switches between two of them at one instant and may be repeated after an interruption.
 */
export type SiteStore = {
  hasSource(project: string | null, digest: string): Promise<boolean>;
  putSource(digest: string, content: Readable): Promise<void>;
  /** Forgets a source that is not what its digest says. */
  removeSource(digest: string): Promise<void>;
  openSource(digest: string): Promise<{ content: Readable; bytes: number }>;
  missingBlobs(project: string, blobs: readonly string[]): Promise<string[]>;
  /** Throws `DIGEST_MISMATCH` when the content is not `blob`'s. */
  putBlob(project: string, blob: string, content: Readable): Promise<void>;
  putManifest(project: string, deployment: string, manifest: Manifest): Promise<void>;
  getManifest(project: string, deployment: string): Promise<Manifest>;
  /** Makes `deployment` what the target serves. `recent`: deployments that were live lately, newest first. */
  publish(site: {
    project: string;
    target: string;
    deployment: string;
    order: number;
    recent: readonly string[];
  }): Promise<void>;
  /** Makes the target serve nothing: for a first publication that failed half-way. */
  unpublish(project: string, target: string): Promise<void>;
  /** What `slug` serves now, or null. Answered from memory. */
  site(slug: string): LiveSite | null;
  /** The file that holds a blob. */
  blobFile(project: string, blob: string): string;
};

/** A builder that has been started, in words that survive a restart of the plane. */
export type RunnerRef = { pid: number; startedAt: string };

/** Starts, watches and stops builders. `stop` and `state` may be called for a builder that another plane started. */
export type BuildRunner = {
  start(build: { deployment: string; attempt: number; bootstrapToken: string }): Promise<RunnerRef>;
  /** `running`, or how it ended as far as that can be known. */
  state(
    ref: RunnerRef,
  ): Promise<{ running: true } | { running: false; exitCode: number | null; signal: string | null }>;
  /** Ends the builder and everything that it started: SIGTERM, wait, SIGKILL. Safe to repeat. */
  stop(ref: RunnerRef): Promise<void>;
  /** Frees what the attempt left on the machine. */
  cleanUp(build: { deployment: string; attempt: number }): Promise<void>;
};
