/** What every step of a build is given. */
import type { Detection } from '../contract/api.ts';
import type { BuilderPhase, BuildSpec } from '../contract/builder-api.ts';
import type { BuilderConfig } from './config.ts';
import type { Log } from './log/log.ts';
import type { Plane } from './plane.ts';
import type { NamedSecret } from './secrets/search-output.ts';

export type BuildContext = {
  spec: BuildSpec;
  config: BuilderConfig;
  plane: Plane;
  log: Log;
  /** The Node that runs the builder, and the machine. */
  running: { version: string; program: string; platform: string; arch: string };
  /** Ends the build, its commands and its requests. */
  signal: AbortSignal;
  /** Sentences for the result. */
  warnings: string[];
  /** What must stand in no file of the site; the log hides it. */
  secrets: NamedSecret[];
};

/** Starts a phase: for the log and for the plane. */
export async function enterPhase(
  { log, plane }: BuildContext,
  phase: BuilderPhase,
  detections?: readonly Detection[],
): Promise<void> {
  log.phase = phase;
  await plane.enterPhase({
    phase,
    ...(detections === undefined ? {} : { detections: detections.slice(0, 50) }),
  });
}

/** Says a warning in the log, and keeps it for the result. */
export function warn({ log, warnings }: BuildContext, text: string): void {
  log.say(`Warning: ${text}`);
  warnings.push(log.mask(text).slice(0, 1000));
}
