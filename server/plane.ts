/** What every use case is given: the ports, the keys, the settings, and a way to say that there is work. */
import type { Kysely, Transaction } from 'kysely';
import type { Database } from './database/database.ts';
import type { Tables } from './database/tables.ts';
import type { Keys } from './keys.ts';
import type { BuildRunner, LogStore, SiteStore } from './ports.ts';

export type PlaneSettings = {
  /** How many builds run at once. */
  maxBuilds: number;
  /** Milliseconds for one build's commands. */
  timeLimitMs: number;
  /** Milliseconds for which a claim holds without being renewed. */
  leaseMs: number;
  /** Repositories may be local paths (embedded planes). */
  allowLocalRepository: boolean;
  /** Where builders reach this plane, without a trailing slash. */
  url: string;
};

/** Where sites answer. */
export type Addresses = {
  /** The address that people use. */
  site(slug: string): string;
  /** The same site on 127.0.0.1, for what does not resolve `*.localhost`. */
  direct(slug: string): string;
  /** Makes sure that a new project's site answers, and gives the port of its own address. */
  open(slug: string, port: number | null): Promise<number>;
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
  /** Milliseconds since 1970. */
  now(): number;
  /** The queue, a publication or a stop request has changed: look at once. */
  wake(): void;
  /** For what nobody waits for and nobody can act on; never throws. */
  report(message: string, error?: unknown): void;
};

/** The database, or a transaction on it. */
export type Queries = Kysely<Tables> | Transaction<Tables>;
