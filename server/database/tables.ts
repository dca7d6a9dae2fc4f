/** The tables as Kysely sees them. `migrations.ts` makes them; both databases run the same SQL. */
import type { ColumnType, Generated, JSONColumnType } from 'kysely';
import type { ActorKind, TrustProvider } from '../../contract/accounts-api.ts';
import type { Detection, PublicationFigures, Source } from '../../contract/api.ts';
import type { BuildSettings, Serving } from '../../contract/configuration.ts';
import type { DeploymentEnvironment } from '../../contract/environment-api.ts';
import type { EnvironmentScope } from '../../contract/environment-values.ts';
import type { ErrorBody } from '../../contract/errors.ts';
import type {
  DeploymentStatus,
  EndReason,
  IsolationMode,
  Phase,
  PublicationKind,
  PublicationState,
  Scope,
} from '../../contract/words.ts';
import type { RunnerRef } from '../ports.ts';

type Time = ColumnType<Date, Date | string, Date | string>;
type OptionalTime = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
type Json<T extends object | null> = JSONColumnType<T, string, string>;
type OptionalJson<T extends object> = JSONColumnType<T | null, string | null | undefined, string | null>;

/** When a phase began and ended, in milliseconds since 1970. */
export type PhaseRecord = { phase: Phase; startedAt: number; endedAt: number | null };

export type AccountTable = { id: string; name: string; created_at: Time };

export type ProjectTable = {
  id: string;
  account_id: string;
  slug: string;
  /** The region; named as in the seed. */
  bucket_location: string;
  /** A repository URL or a directory: what deploys here without naming the slug. */
  origin: string;
  /** The port of the site's own address on 127.0.0.1 (embedded planes). */
  port: number | null;
  created_at: Time;
  updated_at: Time;
  /** Since when it is in no list; its slug stays its account's. */
  removed_at: OptionalTime;
};

export type TargetTable = {
  project_id: string;
  name: string;
  /** The order that the next person who asks gets. */
  next_order: Generated<number>;
  /** The publication that is live. */
  live_publication_id: string | null;
  /** When everything that it served was taken away: what was published before is not there any more. */
  emptied_at: OptionalTime;
  /** The port of a preview's own address on 127.0.0.1 (embedded planes). */
  port: number | null;
  /** When a preview ends, unless it is deployed to again. */
  expires_at: OptionalTime;
  /** Since when a preview is in no list; its order goes on when it is deployed to again. */
  removed_at: OptionalTime;
};

export type DeploymentTable = {
  id: string;
  account_id: string;
  project_id: string;
  target: string;
  project_slug: string;
  bucket_location: string;
  git_url: string | null;
  deployment_url: string;
  deployment_status: DeploymentStatus;
  reason: EndReason | null;
  error: OptionalJson<ErrorBody>;
  phase: Phase | null;
  phases: Json<PhaseRecord[]>;
  detections: Json<Detection[]>;
  warnings: Json<string[]>;
  figures: OptionalJson<PublicationFigures>;
  source: Json<Source>;
  build: Json<BuildSettings>;
  serving: Json<Serving>;
  /** The plain environment values of this deployment alone. */
  environment: OptionalJson<DeploymentEnvironment>;
  no_cache: boolean;
  isolation: IsolationMode | null;
  fingerprint: string;
  order: number;
  attempt: Generated<number>;
  lease_owner: string | null;
  /** Written by nobody: the owner of a lease, a new one for each start of a process, and the attempt tell late ones. */
  lease_epoch: Generated<number>;
  lease_expires_at: OptionalTime;
  runner: OptionalJson<RunnerRef>;
  builder_token_hash: string | null;
  /** The builder's last sign of life. */
  seen_at: OptionalTime;
  /** How many attempts ended for reasons of infrastructure. */
  lost_attempts: Generated<number>;
  /** A builder is to be stopped; carried out and retried by the watcher. */
  stop_requested_at: OptionalTime;
  stopped_at: OptionalTime;
  /** Sealed; deleted when the deployment ends. */
  git_token: string | null;
  created_at: Time;
  updated_at: Time;
  started_at: OptionalTime;
  finished_at: OptionalTime;
  /** When its log was freed for its age. */
  log_removed_at: OptionalTime;
  /** With which token it was asked for; the token may be gone. */
  token_id: string | null;
};

export type PublicationTable = {
  id: string;
  project_id: string;
  target: string;
  deployment_id: string;
  kind: PublicationKind;
  order: number;
  state: PublicationState;
  lease_owner: string | null;
  lease_expires_at: OptionalTime;
  created_at: Time;
  started_at: OptionalTime;
  finished_at: OptionalTime;
};

export type IdempotencyTable = {
  account_id: string;
  key: string;
  body_hash: string;
  deployment_id: string;
  created_at: Time;
};

/** What one process of a plane does now and then for all of them. */
export type DutyTable = {
  name: string;
  lease_owner: string | null;
  lease_expires_at: OptionalTime;
  done_at: OptionalTime;
};

export type TokenTable = {
  id: string;
  /** Null: the admin token. */
  account_id: string | null;
  name: string;
  hash: string;
  created_at: Time;
  expires_at: OptionalTime;
  last_used_at: OptionalTime;
  scope: Generated<Scope>;
  /** The slug of the only project that it reaches. */
  project: string | null;
  /** The trust by which a job has got it, and as whom. */
  trust_id: string | null;
  subject: string | null;
};

/** Jobs of which repository may deploy to which project. */
export type TrustTable = {
  id: string;
  account_id: string;
  provider: TrustProvider;
  issuer: string;
  /** As its host writes it, in lower case. */
  repository: string;
  /** The host's own id of it, which another repository of the same name does not have. Null until the first use. */
  repository_id: string | null;
  /** The full name of the only ref, such as `refs/heads/main`. */
  ref: string | null;
  environment: string | null;
  /** The slug. */
  project: string;
  created_at: Time;
  last_used_at: OptionalTime;
};

/** ID tokens that have been exchanged: none is taken twice. */
export type UsedIdTokenTable = { id: string; expires_at: Time };

/** Every change that somebody made. */
export type AuditTable = {
  id: Generated<string>;
  at: Time;
  /** Whose objects it is about; null: the plane's own. */
  account_id: string | null;
  actor_kind: ActorKind;
  /** The token, the attempt, or the subject of a job. */
  actor: string | null;
  action: string;
  /** The slug. */
  project: string | null;
  object: string | null;
  address: string | null;
  request_id: string | null;
};

export type EnvironmentValueTable = {
  project_id: string;
  scope: EnvironmentScope;
  name: string;
  /** Sealed for this project, scope, name and `sensitive`: it opens in no other row. */
  sealed: string;
  /** The key that it is sealed with. */
  key_id: string;
  sensitive: boolean;
  /** Of name and value. */
  bytes: number;
  /** Changes with the value: what was built with it is known by it. */
  updated_at: Time;
  /** The account that set it. */
  updated_by: string;
};

/** What a plane is, whatever its replicas: its own id, drawn once. */
export type PlaneFactTable = { name: 'id' | 'bucket names'; value: string };

export type Tables = {
  accounts: AccountTable;
  projects: ProjectTable;
  targets: TargetTable;
  deployments: DeploymentTable;
  publications: PublicationTable;
  idempotency_keys: IdempotencyTable;
  duties: DutyTable;
  plane_facts: PlaneFactTable;
  tokens: TokenTable;
  environment_values: EnvironmentValueTable;
  trusts: TrustTable;
  used_id_tokens: UsedIdTokenTable;
  audit: AuditTable;
};
