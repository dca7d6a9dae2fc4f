/** What a hosted plane remembers of itself: its id, and how its buckets are called. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Database } from '../../server/database/database.ts';
import { keepBucketNames, planeId } from '../../server/plane-facts.ts';
import { openEmptyDatabase } from '../peers/embedded-database.ts';

let database: Database;
let close: () => Promise<void>;
beforeEach(async () => {
  ({ database, close } = await openEmptyDatabase());
});
afterEach(() => close());

const bySlug = { SPHERE_BUCKET_NAMES: 'slug', SPHERE_BUCKET_PREFIX: null };
const regional = { SPHERE_BUCKET_NAMES: 'account-regional', SPHERE_BUCKET_PREFIX: 'acme' };

test('the id is drawn once', async () => {
  const id = await planeId(database);
  expect(id).toMatch(/^pln_/);
  expect(await planeId(database)).toBe(id);
});

test('the rule for the names of buckets may change until there is a project, whose buckets would not be found', async () => {
  await keepBucketNames(database, bySlug);
  await keepBucketNames(database, regional);
  const now = new Date();
  await database.query.insertInto('accounts').values({ id: 'acc', name: 'team', created_at: now }).execute();
  await database.query
    .insertInto('projects')
    .values({
      id: 'prj_1',
      account_id: 'acc',
      slug: 'shop',
      bucket_location: 'eu-central-1',
      origin: 'shop',
      port: null,
      created_at: now,
      updated_at: now,
    })
    .execute();
  await keepBucketNames(database, regional);
  await expect(keepBucketNames(database, bySlug)).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    details: [
      'SPHERE_BUCKET_NAMES was account-regional, and is slug',
      'SPHERE_BUCKET_PREFIX was acme, and is not set',
    ],
    hint: expect.stringContaining('Set them as they were.'),
  });
});
