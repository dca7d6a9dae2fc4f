/** Who else is told how it goes: the scripts around (`SPHERE_OUTPUT_FILE`), and the GitHub workflow that we run in. */
import type { Deployment } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import type { Context } from './command.ts';
import { DeploymentEnded } from './deployment-end.ts';
import { openEventFile } from './event-file.ts';
import { openGithubResults } from './github-results.ts';

export type Reports = {
  /** The plane has taken the deployment. */
  created(deployment: Deployment): void;
  /** What REST said of it; the phases that are new are told. */
  state(deployment: Deployment): void;
  /** It has ended, in whatever way; `already_live`: nothing had to be done. */
  ended(deployment: Deployment, outcome?: 'already_live'): void;
  /** The command comes to this, and is no failure. `said`: what it did, where it built nothing. */
  done(deployment: Deployment, said?: string): void;
};

/** Runs `work` with the reports of its command. What it throws is reported, too. */
export async function reporting<Outcome>(
  { environment, output }: Context,
  work: (reports: Reports) => Promise<Outcome>,
): Promise<Outcome> {
  const events = openEventFile(environment.variables.SPHERE_OUTPUT_FILE ?? null, output.warn);
  const github = openGithubResults(environment.github, output.warn);
  let phasesTold = 0;
  try {
    return await work({
      created(deployment) {
        const { id, project, target, url } = deployment;
        events.write({ type: 'created', id, project, target, url });
        github.created(deployment);
      },
      state({ id, phases }) {
        for (const { phase } of phases.slice(phasesTold)) events.write({ type: 'phase', id, phase });
        phasesTold = phases.length;
      },
      ended({ id, project, target, url, status, reason }, outcome) {
        const how = outcome ? { reason: null, outcome } : { reason };
        events.write({ type: 'ended', id, project, target, url, status, ...how });
      },
      done: (deployment, said) => github.ended({ deployment, error: null, said }),
    });
  } catch (error) {
    if (error instanceof SphereError) {
      const body = error.toBody();
      events.write({ type: 'error', error: body });
      github.ended({ deployment: error instanceof DeploymentEnded ? error.deployment : null, error: body });
    }
    throw error;
  }
}
