/** What the builder's program says of a source that it only plans to build. */
import type { Detection } from './api.ts';
import type { ErrorBody } from './errors.ts';

/** What a build would detect, and what it would warn of. */
export type PlannedSource = { detections: Detection[]; warnings: string[] };

/** What the program prints for `--plan DIRECTORY SETTINGS`: as JSON, with exit code 0. */
export type PlanAnswer = PlannedSource | { error: ErrorBody };
