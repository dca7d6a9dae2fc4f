/**
 * What the builder and the plane say to each other, under `/v1/builds/:deployment/:attempt`, with the attempt's own
 * token. Every answer may be 409 `ATTEMPT_STALE`: another attempt has taken over, or the deployment has ended; the
 * builder then stops its commands and leaves.
 */
import { z } from 'zod';
import type { Detection, Source } from './api.ts';
import type { BuildSettings, Serving } from './configuration.ts';
import type { BuildValue } from './environment-values.ts';
import { errorCodes } from './errors.ts';
import type { NewLine } from './logs.ts';
import { type EndReason, endReasons, type IsolationMode, type Phase } from './words.ts';

/** `POST …/register`, authorised by the bootstrap token: spends it on a token of the builder's own. */
export const registerSchema = z.strictObject({
  contractVersion: z.number().int(),
  /** 64 hex digits that the builder has just drawn. Registering the same one again is answered alike. */
  token: z.string().regex(/^[0-9a-f]{64}$/),
});

/** Answer of `register`: all that the builder needs to know. */
export type BuildSpec = {
  deployment: string;
  attempt: number;
  project: string;
  target: string;
  source: Source;
  /** For `upload`: where the tar.gz is. A `GET` with the build token. */
  sourceUrl: string | null;
  build: BuildSettings;
  /** For `prebuilt`. */
  serving: Serving;
  siteUrl: string;
  /** For the commands. Absent from a plane that speaks version 1. */
  environment?: BuildValue[];
  noCache: boolean;
  /** A credential for the repository can be had at `GET …/credential` (until `install` starts). */
  hasCredential: boolean;
  /** Local paths are allowed as repositories (embedded planes). */
  allowLocalRepository: boolean;
  /** On hosted planes: the hosts that repositories may be on beside public ones, as `HOST` or `HOST:PORT`. */
  gitHosts?: readonly string[];
  /** Milliseconds for install and build together. */
  timeLimitMs: number;
  /** Builders of this plane share no machine: what is kept for the next deployment lies with the plane (`…/caches`). */
  remoteCaches?: boolean;
  /** What the caller wants of isolation (embedded planes); absent: `auto`. Never from the source. */
  isolation?: IsolationMode;
};

/** `GET …/credential` */
export type CredentialAnswer = { token: string };

/** `POST …/logs`: batches are numbered 1, 2, 3 … per attempt; one sent twice is stored once. */
export type LogRequest = { batch: number; lines: NewLine[] };
export type LogAnswer = {
  /** The seq of the last line stored. */
  last: number;
  /** The log is full: the plane stores no more of it, and the builder may stop sending. */
  full?: boolean;
  /** Batches up to this one are safe for good. Later ones the plane may ask for again. Absent: all that was answered. */
  kept?: number;
  /** This batch was not stored: the plane has lost what came before it, and wants this batch and all later ones again. */
  again?: number;
};

/** The phases that a builder goes through; `queue` and `publish` are the plane's. */
export const builderPhases = ['prepare', 'clone', 'install', 'build', 'upload'] as const satisfies Phase[];
export type BuilderPhase = (typeof builderPhases)[number];

/** How a builder may find that an attempt has failed; the other reasons are the plane's to give. */
const builderReasons = endReasons.filter(
  (reason) => !['user', 'superseded', 'outrun', 'ignored', 'silent', 'publish_failed'].includes(reason),
) as [EndReason, ...EndReason[]];

/** `POST …/phase`: the builder has started this phase. Also counts as a sign of life. */
export const phaseSchema = z.strictObject({
  phase: z.enum(builderPhases),
  detections: z
    .array(
      z.strictObject({ what: z.string().max(100), value: z.string().max(500), why: z.string().max(500) }),
    )
    .max(50)
    .optional(),
});
export type PhaseRequest = { phase: BuilderPhase; detections?: Detection[] };

/** `POST …/manifest`: the body is a `Manifest`; the answer names the blobs that the plane lacks. */
export type ManifestAnswer = {
  /** Each is a `PUT` of exactly this blob's bytes; the plane verifies the digest. */
  missing: { blob: string; url: string; headers: Record<string, string> }[];
};

/** A cache of a target: `modules-KEY`, `frameworks`. */
export const cacheNamePattern = /^[a-z0-9][a-z0-9-]{0,99}$/;

/** `GET …/caches/:name`: where an archive (tar.gz) is that was kept for the target, else for live; null: nowhere. */
export type CacheAnswer = { url: string | null };

/** The largest archive that is kept, in bytes. */
export const maxCacheBytes = 1024 ** 3;

/** `POST …/caches/:name`: an archive is to be kept for the target, in place of an earlier one with that name. */
export const keepCacheSchema = z.strictObject({
  bytes: z.number().int().positive().max(maxCacheBytes),
  /** Of the archive, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type KeepCache = z.infer<typeof keepCacheSchema>;
/** A `PUT` of exactly these bytes. */
export type KeepCacheAnswer = { url: string; headers: Record<string, string> };

/** `POST …/result`: the last word of an attempt. After `built` every blob of the manifest has been uploaded. */
export const resultSchema = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('built'),
    uploaded: z.number().int().nonnegative(),
    uploadedBytes: z.number().int().nonnegative(),
    warnings: z.array(z.string().max(1000)).max(50),
  }),
  /** The source's own `ignoreCommand` has said that there is nothing to build. */
  z.strictObject({ outcome: z.literal('ignored'), message: z.string().max(1000) }),
  z.strictObject({
    outcome: z.literal('failed'),
    reason: z.enum(builderReasons),
    error: z.strictObject({
      code: z.enum(errorCodes as [(typeof errorCodes)[number], ...(typeof errorCodes)[number][]]),
      message: z.string().max(4000),
      hint: z.string().max(2000).optional(),
      details: z.array(z.string().max(4000)).max(50).optional(),
    }),
  }),
]);
export type BuildResult = z.infer<typeof resultSchema>;

/** How often the builder gives a sign of life, and after how long without any the plane calls it silent. */
export const liveness = { heartbeatMs: 10_000, silentAfterMs: 60_000 } as const;
