/** Connects to the plane that was chosen, and starts the embedded one where that was it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PlaneFile } from '../contract/embedded.ts';
import { SphereError } from '../contract/errors.ts';
import { version } from '../contract/version.ts';
import type { PlaneAddress } from './answers.ts';
import { type Api, createApi } from './api.ts';
import type { Environment, JobIdentity } from './config.ts';
import type { PlaneChoice } from './plane-choice.ts';
import { answeringPlane, isAlive, startPlane } from './plane-process.ts';

export type Plane = {
  kind: 'hosted' | 'embedded';
  address: PlaneAddress;
  api: Api;
  /** Brings an embedded plane back that has gone away. Hosted planes are waited for. */
  revive(): Promise<void>;
};

/**
 * Connects to the chosen plane; an embedded one that does not run is started, an older one replaced when it is idle.
 * `say` gets what a person should know; `project` is the one that is meant, where that is known. Throws
 * `PLANE_START_FAILED`.
 */
export async function connectPlane(
  choice: Exclude<PlaneChoice, { kind: 'none' }>,
  environment: Environment,
  say: (text: string) => void,
  project?: string,
): Promise<Plane> {
  if (choice.kind === 'hosted') {
    const address = choice.job ? await signIn(choice.address.url, choice.job, say, project) : choice.address;
    return { kind: 'hosted', address, api: createApi(address), revive: async () => {} };
  }
  const { home } = choice;
  const bringUp = async () =>
    (await answeringPlane(home)) ?? (await startPlane(home, environment.forChildren, say));
  let file = await bringUp();
  if (isOlder(file.version, version) && (await replaceIdle(file, say))) file = await bringUp();
  // What holds the address sees where the plane came back.
  const address: PlaneAddress = { url: file.url, token: file.token };
  return {
    kind: 'embedded',
    address,
    api: createApi(address),
    revive: async () => {
      const { url, token } = await bringUp();
      Object.assign(address, { url, token });
    },
  };
}

async function signIn(
  url: string,
  job: JobIdentity,
  say: (text: string) => void,
  project: string | undefined,
): Promise<PlaneAddress> {
  if (project === undefined) {
    throw new SphereError('INPUT_NEEDED', 'A job without a token reaches one project, and none is named.', {
      hint: 'Name it with --slug or SPHERE_PROJECT.',
    });
  }
  const { tokenOfJob } = await import('./job-token.ts');
  const answer = await tokenOfJob(job, url, project);
  say(`Signed in as this job, for ${answer.project} of ${answer.account}.`);
  return { url, token: answer.token };
}

/** Stops an older plane that runs no build. False when it goes on. */
async function replaceIdle(file: PlaneFile, say: (text: string) => void): Promise<boolean> {
  const api = createApi(file);
  try {
    await api.stopPlane(true);
  } catch (error) {
    if (!(error instanceof SphereError) || error.code !== 'PLANE_BUSY') throw error;
    say(`The running plane is Sphere ${file.version}; it has builds running and is replaced after them.`);
    return false;
  } finally {
    api.close();
  }
  say(`Replacing the running plane (Sphere ${file.version}) with ${version}.`);
  await waitForExit(file.pid);
  return true;
}

/** Resolves when the process `pid` has ended. Throws `PLANE_BUSY` when it does not within 15 s. */
export async function waitForExit(pid: number): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (isAlive(pid)) {
    if (Date.now() > deadline) {
      throw new SphereError(
        'PLANE_BUSY',
        `The plane (process ${pid}) has been asked to stop and still runs.`,
        {
          hint: 'Try again in a moment.',
        },
      );
    }
    await sleep(25);
  }
}

/** Whether version `a` comes before `b`. Versions are `MAJOR.MINOR.PATCH` with an optional `-prerelease`. */
export function isOlder(a: string, b: string): boolean {
  const parts = (text: string) => {
    const [numbers = '', prerelease] = text.split(/-(.*)/s);
    return { numbers: numbers.split('.').map(Number), prerelease };
  };
  const left = parts(a);
  const right = parts(b);
  for (let index = 0; index < 3; index += 1) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  if (left.prerelease === undefined) return false;
  return right.prerelease === undefined || comesBefore(left.prerelease, right.prerelease);
}

/** `rc.9` before `rc.10`: parts that are numbers count as numbers (semver.org, 11). */
function comesBefore(a: string, b: string): boolean {
  return a.localeCompare(b, 'en', { numeric: true }) < 0;
}
