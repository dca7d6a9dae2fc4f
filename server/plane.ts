/** What every use case is given: the ports, the keys, the settings, and a way to say that there is work. */
import type { Kysely, Transaction } from 'kysely';
import type { Database } from './database/database.ts';
import type { Tables } from './database/tables.ts';
import type { Keys } from './keys.ts';
import type { BuildRunner, LogStore, Site, SiteStore } from './ports.ts';

/** What one account may have (`quotas.ts`). */
export type Quotas = { projects: number; previews: number };

export type PlaneSettings = {
  /** How many builds run at once, and how many of one account. */
  maxBuilds: number;
  maxBuildsPerAccount: number;
  /** Null where nobody shares the plane. */
  quotas: Quotas | null;
  /** Milliseconds for one build's commands. */
  timeLimitMs: number;
  /** Milliseconds from the claim to the builder's first request. */
  startLimitMs: number;
  /** Milliseconds for which a claim holds without being renewed. */
  leaseMs: number;
  /** No other process works on this database: whatever lease is found at the start was left behind. */
  exclusive: boolean;
  /** Repositories may be local paths (embedded planes). */
  allowLocalRepository: boolean;
  /** Hosted planes: the hosts that repositories may be on beside public ones. */
  gitHosts: readonly string[];
  /** Where builders reach this plane, without a trailing slash. */
  url: string;
};

/** Where sites answer. */
export type Addresses = {
  /** The address that people use. */
  site(site: Site): string;
  /** The same site for programs that do not resolve the names of the first. */
  direct(site: Site): string;
  /**
   * Makes sure that a site answers, until `expiresAt` where that is not null. Its own port where it has one: `port` where
   * that is free.
   */
  open(site: Site, port: number | null, expiresAt: Date | null): Promise<number | null>;
  /** The site answers no more. */
  close(site: Site): Promise<void>;
};

export type Plane = {
  /** This process, as leases name it. */
  id: string;
  database: Database;
  logs: LogStore;
  sites: SiteStore;
  builds: BuildRunner;
  keys: Keys;
  settings: PlaneSettings;
  addresses: Addresses;
  /** Publications that this process carries out now, by id. */
  publishing: Set<string>;
  /** Aborted when this process begins to end: long work stops where another process can go on. */
  ending: AbortSignal;
  /** Milliseconds since 1970. */
  now(): number;
  /** The queue, a publication or a stop request has changed: look at once. */
  wake(): void;
  /** For what nobody waits for and nobody can act on; never throws. */
  report(message: string, error?: unknown): void;
  /** As `report`, but an attempt that has ended meanwhile is no news. */
  reportUnlessStale(what: string, error: unknown): void;
};

/** The database, or a transaction on it. */
export type Queries = Kysely<Tables> | Transaction<Tables>;
