/** The repositories that were tried and what came of it: the files that `scripts/compatibility` reads and writes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../../files/package-root.ts';

const trialKey = {
  /** `OWNER/NAME` on GitHub. */
  repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
  /** Null where an early trial did not note it: such a one is not tried again. */
  commit: z
    .string()
    .regex(/^[0-9a-f]{7,40}$/)
    .nullable(),
  /** The directory that is meant, where Sphere cannot know. */
  root: z.string().optional(),
};

const entrySchema = z.strictObject({
  ...trialKey,
  /** What it is made with, as its own files say. */
  framework: z.string().nullable(),
  packageManager: z.string().nullable(),
  /** Flags of `sphere deploy` that it needs beside `--root`. */
  args: z.array(z.string()).optional(),
  /** What somebody wants to be known of it. */
  note: z.string().optional(),
});
export type Entry = z.infer<typeof entrySchema>;

const errorSchema = z.strictObject({
  /** One of Sphere's, or `SITE` where it deployed and the site is not right. Null: not noted. */
  code: z.string().nullable(),
  /** The first line of the message. */
  message: z.string(),
  hint: z.string().optional(),
});

/** Whose matter a failure is. */
const causes = ['change', 'sphere', 'repository', 'unreachable'] as const;
export type CauseKind = (typeof causes)[number];

const resultSchema = z.strictObject({
  ...trialKey,
  /** The day of the run. */
  run: z.iso.date(),
  outcome: z.enum(['works', 'fails']),
  /** The flags that it was deployed with. */
  settings: z.array(z.string()),
  /** What Sphere says without them. */
  asItIs: errorSchema.optional(),
  error: errorSchema.optional(),
  /** What somebody found out about the failure. Goes away when another one is seen. */
  cause: z.strictObject({ kind: z.enum(causes), why: z.string() }).optional(),
  /** What Sphere found. */
  framework: z.string().nullable(),
  packageManager: z.string().nullable(),
  /** The version that built it. */
  node: z.string().nullable(),
  /** Of early results it is only known which version the repository asks for. */
  asks: z.string().optional(),
  /** The wall clock of `sphere deploy`. */
  seconds: z.number().nullable(),
  files: z.number().optional(),
  bytes: z.number().optional(),
  warnings: z.array(z.string()).optional(),
  /** The title of the first page, and how many pages were opened. */
  title: z.string().optional(),
  pages: z.number().optional(),
  /** Addresses of the site's own that its first two pages name and that do not answer. */
  missing: z.array(z.string()).optional(),
});
export type Result = z.infer<typeof resultSchema>;

export const recordSchema = z.strictObject({
  runs: z.record(z.iso.date(), z.strictObject({ sphere: z.string(), machine: z.string() })),
  results: z.array(resultSchema),
});
export type Record = z.infer<typeof recordSchema>;

/** `changed` is what the repositories changed in Sphere, written by hand. Throws where a file is not as described here. */
export function readTrials(): { entries: Entry[]; record: Record; changed: string } {
  const read = (path: string) => readFileSync(join(packageRoot(), path), 'utf8');
  return {
    entries: z.array(entrySchema).parse(JSON.parse(read('scripts/compatibility.d/repositories.json'))),
    record: recordSchema.parse(JSON.parse(read('docs/compatibility.json'))),
    changed: read('scripts/compatibility.d/changed-in-sphere.md'),
  };
}
