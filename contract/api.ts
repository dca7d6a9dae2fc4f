/** What the CLI and the plane say to each other under `/v1`. Every body is JSON unless said otherwise. */
import { z } from 'zod';
import { buildSettingsSchema, servingSchema } from './configuration.ts';
import { deploymentEnvironmentSchema } from './environment-api.ts';
import type { ErrorBody } from './errors.ts';
import { sha256Pattern } from './manifest.ts';
import { longestLabel, previewDays, previewPattern } from './preview.ts';
import {
  type DeploymentStatus,
  type EndReason,
  isolationModes,
  type Phase,
  type PublicationKind,
  slugPattern,
} from './words.ts';

/** What Git knows of an uploaded directory. */
export const gitStateSchema = z.strictObject({
  commit: z.string().regex(/^[0-9a-f]{40,64}$/),
  branch: z.string().max(255).optional(),
  /** The name of the commit's author, without the address. */
  author: z.string().min(1).max(200).optional(),
  /** The working tree differs from the commit. */
  dirty: z.boolean(),
  /** Commits that no remote has; unset when there is no upstream to compare with. */
  unpushed: z.number().int().nonnegative().optional(),
});
export type GitState = z.infer<typeof gitStateSchema>;

/** The run of a build service that asked for a deployment. */
export const ciRunSchema = z.strictObject({
  /** Its name, such as `GitHub Actions`. */
  service: z.string().min(1).max(50),
  /** The number of the pull request (on GitLab: merge request) that it runs for. */
  pullRequest: z.number().int().positive().optional(),
  /** Where people see it. */
  url: z
    .string()
    .max(2048)
    .regex(/^https?:\/\//)
    .optional(),
});
export type CiRun = z.infer<typeof ciRunSchema>;

export const sourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('git'),
    repository: z.string().min(1).max(2048),
    /** As the person wrote it. */
    ref: z.string().min(1).max(255).optional(),
    /** The branch that the commit was taken from, where the ref is one. */
    branch: z.string().min(1).max(255).optional(),
    commit: z.string().regex(/^[0-9a-f]{40,64}$/),
    /** The name of the commit's author, where the caller has the commit at hand. */
    author: z.string().min(1).max(200).optional(),
    ci: ciRunSchema.optional(),
  }),
  z.strictObject({
    kind: z.literal('upload'),
    digest: z.string().regex(sha256Pattern),
    git: gitStateSchema.optional(),
    ci: ciRunSchema.optional(),
  }),
  z.strictObject({
    kind: z.literal('prebuilt'),
    /** The digest of the output directory, for "already live". */
    digest: z.string().regex(sha256Pattern),
    git: gitStateSchema.optional(),
    ci: ciRunSchema.optional(),
  }),
]);
/** What a deployment builds, pinned: a commit, or content named by its digest; and what is known of where it is from. */
export type Source = z.infer<typeof sourceSchema>;

/** `POST /v1/sources`: is this upload already there? Answers `SourceAnswer`. */
export const sourceRequestSchema = z.strictObject({
  digest: z.string().regex(sha256Pattern),
  /** Sum of the files' sizes. */
  bytes: z.number().int().nonnegative(),
  /** The tar.gz itself, for planes that have asked for it. */
  archive: z
    .strictObject({ bytes: z.number().int().positive(), sha256: z.string().regex(sha256Pattern) })
    .optional(),
});
export type SourceRequest = z.infer<typeof sourceRequestSchema>;
/**
 * `upload` is a `PUT` of one tar.gz; absent when the plane has the source. `describeArchive`: it is to be sent to a store
 * that takes only what it was told of; the same question with `archive` gets the upload.
 */
export type SourceAnswer = {
  digest: string;
  upload?: { url: string; headers: Record<string, string> };
  describeArchive?: true;
};

/** `POST /v1/deployments`, with an `Idempotency-Key` header. */
export const createDeploymentSchema = z.strictObject({
  project: z.string().regex(slugPattern, 'must be 3 to 63 of a-z, 0-9 and single inner hyphens'),
  /** The person named the slug: a project of another origin may be deployed to. */
  projectNamed: z.boolean(),
  /** Where the project's deployments come from: a repository URL or a directory. */
  origin: z.string().min(1).max(4096),
  /** Where a new project is kept; unset: the plane's default, or where the project is already. */
  region: z.string().min(1).max(64).optional(),
  /** A preview's name. Absent: `live`. */
  target: z.string().regex(previewPattern, 'must be 1 to 58 of a-z, 0-9 and single inner hyphens').optional(),
  /** A preview's days from this deployment on. Absent: 14. */
  expireAfterDays: z.number().int().min(previewDays.least).max(previewDays.most).optional(),
  source: sourceSchema,
  /** Above the `sphere.json` in the source. */
  build: buildSettingsSchema,
  /** For `prebuilt`, where no source holds a `sphere.json`. */
  serving: servingSchema.optional(),
  /** Plain environment values of this deployment alone. */
  environment: deploymentEnvironmentSchema.optional(),
  /** Build an unchanged source again. */
  force: z.boolean(),
  /** Read no cache. */
  noCache: z.boolean(),
  /** On an embedded plane: whether commands are isolated from the user's files. Unset: `auto`. */
  isolation: z.enum(isolationModes).optional(),
  /** For a private repository; kept until the deployment ends. */
  gitToken: z.string().min(1).max(4096).optional(),
});
export type CreateDeployment = z.infer<typeof createDeploymentSchema>;

/** Answer of `POST /v1/deployments`: 201 `created`, or 200 `already_live` with the deployment that is live. */
export type CreateDeploymentAnswer = {
  outcome: 'created' | 'already_live';
  deployment: Deployment;
  /** When the preview that was deployed to ends, unless it is deployed to again. */
  expiresAt?: string;
  /** For `prebuilt`: the caller runs the builder itself, with this. */
  builder?: { attempt: number; bootstrapToken: string };
};

/** One phase of one deployment. */
export type PhaseTiming = { phase: Phase; startedAt: string; durationMs: number | null };

/** What the builder found and why, for people. */
export type Detection = { what: string; value: string; why: string };

/** What a publication changed. Counts of files, sizes in bytes. */
export type PublicationFigures = {
  files: number;
  bytes: number;
  /** Files whose path or content is new on this target. */
  changed: number;
  /** Files that went away. */
  removed: number;
  /** Blobs that had to be uploaded, and their size. */
  uploaded: number;
  uploadedBytes: number;
};

export type Deployment = {
  id: string;
  project: string;
  region: string;
  target: string;
  status: DeploymentStatus;
  reason: EndReason | null;
  error: ErrorBody | null;
  phase: Phase | null;
  phases: PhaseTiming[];
  detections: Detection[];
  warnings: string[];
  source: Source;
  attempt: number;
  /** The site's address. */
  url: string;
  /** The same site for programs that do not resolve `*.localhost`: an address on 127.0.0.1. */
  address: string;
  /** This is what its target serves now, or what another one does to which it was promoted. */
  live: boolean;
  /** The targets that serve it now. */
  liveOn: string[];
  figures: PublicationFigures | null;
  /** ISO 8601. */
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
};

/**
 * `POST /v1/deployments/:id/redeploy`, with an `Idempotency-Key` header: the same source and settings once more, as a new
 * deployment. Answers `CreateDeploymentAnswer`.
 */
export const redeploySchema = z.strictObject({
  /** Read no cache. */
  noCache: z.boolean(),
  /** For a private repository: the one of the earlier deployment is gone. */
  gitToken: z.string().min(1).max(4096).optional(),
});
export type Redeploy = z.infer<typeof redeploySchema>;

/**
 * `GET /v1/deployments?project=&status=&branch=&limit=&before=`: newest first. `status` takes several, separated by
 * commas. `next` is the `before` of the page that follows.
 */
export type DeploymentList = { deployments: Deployment[]; next: string | null };

export type Project = {
  slug: string;
  region: string;
  origin: string;
  url: string;
  address: string;
  /** The deployment that is live, or null. */
  live: Deployment | null;
  createdAt: string;
};
/**
 * `GET /v1/projects?limit=&after=`, by slug: all of them, or with a `limit` a page; `next` is the `after` of the page that
 * follows.
 */
export type ProjectList = { projects: Project[]; next: string | null };

/** `DELETE /v1/projects/:slug`: the site, its history and everything that was kept for it go. */
export type RemoveProjectAnswer = {
  slug: string;
  /** What stays and why, a sentence for people, such as the empty bucket that holds the name. */
  kept: string;
};

/** `POST /v1/projects/:slug/rollback`. Without an id: the deployment that was live before. */
export const rollbackSchema = z.strictObject({ deployment: z.string().min(1).max(64).optional() });
/**
 * `GET /v1/projects/:slug/rollback?deployment=`: what a rollback would change, and changes nothing. `previous` is what is
 * live now. Of each kind the first 20 paths are named.
 */
export type RollbackPlan = {
  deployment: Deployment;
  previous: Deployment | null;
  /** Counts of files. */
  figures: { added: number; changed: number; removed: number; same: number };
  paths: { added: string[]; changed: string[]; removed: string[] };
};
/** What became live, in place of what. `url` and `address` are those of the live site. */
export type RollbackAnswer = {
  kind: PublicationKind;
  url: string;
  address: string;
  deployment: Deployment;
  previous: Deployment | null;
};

/** `POST /v1/projects/:slug/promote`: what a preview serves, or a deployment that it has served. Answers as rollback. */
export const promoteSchema = z.union([
  z.strictObject({ target: z.string().min(1).max(longestLabel) }),
  z.strictObject({ deployment: z.string().min(1).max(64) }),
]);
export type Promote = z.infer<typeof promoteSchema>;

/** What a project serves under one address. */
export type Target = {
  /** `live`, or a preview's name. */
  name: string;
  url: string;
  address: string;
  /** What it serves now, or null. */
  deployment: Deployment | null;
  /** ISO 8601; null: it does not end by itself. */
  expiresAt: string | null;
};
/** `GET /v1/projects/:slug/targets`: `live` first, then the previews by name. */
export type TargetList = { targets: Target[] };

/** `DELETE /v1/projects/:slug/targets/:name`: a preview goes, with what it serves. */
export type RemoveTargetAnswer = { slug: string; target: string; url: string };

/** `GET /v1/plane` (with a token) and, without the private half, `GET /v1/health` (without). */
export type Health = {
  status: 'ok';
  version: string;
  /** What the plane cannot reach just now, and waits for. */
  waitingFor?: string[];
};
export type PlaneStatus = Health & {
  pid: number;
  url: string;
  /** Null for hosted planes. */
  dataDirectory: string | null;
  startedAt: string;
  runningBuilds: { deployment: string; project: string }[];
  /** Resident memory in bytes. */
  memory: number;
};

/** `POST /v1/plane/stop`. `ifIdle`: refuse with `PLANE_BUSY` while builds run. */
export const stopPlaneSchema = z.strictObject({ ifIdle: z.boolean() });

/** `POST /v1/plane/prune` frees what nothing refers to. */
export type PruneAnswer = { freedBytes: number; parts: { what: string; freedBytes: number }[] };

/** `GET /v1/whoami`: whose token it is that calls. */
export type WhoAmI = {
  /** The plane's version, and the time by its clock. */
  version: string;
  time: string;
  /** Null: the token is no account's. */
  account: string | null;
  admin: boolean;
  /** Null on an embedded plane, which has one token that it makes itself. */
  token: { id: string; name: string; expiresAt: string | null } | null;
};

/** `GET /v1/regions`: where the plane may keep sites; the first is its default. */
export type RegionList = { regions: Region[] };
export type Region = {
  region: string;
  /** As in the AWS console: `Europe (Frankfurt)`. */
  name: string;
  /** Where its S3 answers, for measuring how far it is; null where nothing is to be measured. */
  host: string | null;
};

/** The header that makes `POST /v1/deployments` safe to repeat, for 24 hours. */
export const idempotencyHeader = 'idempotency-key';
