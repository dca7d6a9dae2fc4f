/** Kysely on PGlite: one connection, handed out in turn. */
import type { PGlite } from '@electric-sql/pglite';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';

/** A Kysely dialect over `client`. Closing the Kysely instance closes `client`. */
export function pgliteDialect(client: PGlite, guard: () => void): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => createDriver(client, guard),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

function createDriver(client: PGlite, guard: () => void): Driver {
  const connection = createConnection(client);
  let free: Promise<void> = Promise.resolve();
  let release = () => {};
  const run = async (sql: string) => void (await connection.executeQuery(CompiledQuery.raw(sql)));
  return {
    init: async () => {},
    async acquireConnection() {
      guard();
      const before = free;
      let done = () => {};
      free = new Promise((resolve) => {
        done = resolve;
      });
      await before;
      release = done;
      return connection;
    },
    releaseConnection: async () => release(),
    beginTransaction: () => run('begin'),
    commitTransaction: () => run('commit'),
    rollbackTransaction: () => run('rollback'),
    destroy: () => client.close(),
  };
}

function createConnection(client: PGlite): DatabaseConnection {
  return {
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      const { rows, affectedRows } = await client.query<R>(sql, [...parameters]);
      return { rows, ...(affectedRows === undefined ? {} : { numAffectedRows: BigInt(affectedRows) }) };
    },
    // biome-ignore lint/correctness/useYield: PGlite has no cursors to stream from
    async *streamQuery() {
      throw new Error('PGlite cannot stream rows');
    },
  };
}
