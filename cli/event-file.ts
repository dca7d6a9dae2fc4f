/** `SPHERE_OUTPUT_FILE`: what happened, as one JSON object per line, for the scripts around a deployment. */
import { appendFileSync } from 'node:fs';
import type { ErrorBody } from '../contract/errors.ts';
import type { DeploymentStatus, Phase } from '../contract/words.ts';

/** The version of the lines. New kinds of lines and new keys do not raise it. */
export const eventVersion = 1;

export type DeploymentEvent =
  | { type: 'created'; id: string; project: string; target: string; url: string }
  | { type: 'phase'; id: string; phase: Phase }
  | {
      type: 'ended';
      id: string;
      project: string;
      target: string;
      url: string;
      status: DeploymentStatus;
      outcome?: 'already_live';
    }
  | { type: 'error'; error: ErrorBody };

export type EventFile = { write(event: DeploymentEvent): void };

/** Appends to `file` (null: nowhere). A file that cannot be written is said once by `warn` and stops nothing. */
export function openEventFile(file: string | null, warn: (text: string) => void): EventFile {
  let broken = file === null;
  return {
    write(event) {
      if (broken || file === null) return;
      const line = JSON.stringify({ version: eventVersion, time: new Date().toISOString(), ...event });
      try {
        appendFileSync(file, `${line}\n`);
      } catch (error) {
        broken = true;
        warn(`SPHERE_OUTPUT_FILE cannot be written: ${(error as Error).message}.`);
      }
    },
  };
}
