/** `SPHERE_OUTPUT_FILE`: what happened, as one JSON object per line, for the scripts around a deployment. */
import { appendFileSync } from 'node:fs';
import type { ErrorBody } from '../contract/errors.ts';
import type { DeploymentStatus, EndReason, Phase } from '../contract/words.ts';

/** The version of the lines. New kinds of lines and new keys do not raise it. */
export const eventVersion = 1;

/** Every kind of line, as `docs/ci.md` describes them. */
export type DeploymentEvent =
  /** The plane has taken the deployment. */
  | { type: 'created'; id: string; project: string; target: string; url: string }
  /** It has come to this phase. */
  | { type: 'phase'; id: string; phase: Phase }
  /** It has ended, in whatever way; `already_live`: nothing had to be done. */
  | {
      type: 'ended';
      id: string;
      project: string;
      target: string;
      url: string;
      status: DeploymentStatus;
      reason: EndReason | null;
      outcome?: 'already_live';
    }
  /** The command fails with this; after `ended` where there was a deployment. */
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
