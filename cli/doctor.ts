/** What `sphere doctor` looks at: this machine, and the plane as it is seen from here. Starts and changes nothing. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import type { Health, WhoAmI } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { version } from '../contract/version.ts';
import { fileError } from '../files/file-error.ts';
import { dataDirectoryProblem } from '../files/make-directory.ts';
import { createApi } from './api.ts';
import type { Context } from './command.ts';
import { readProjectDirectory } from './directory.ts';
import { ago, bytes } from './format.ts';
import { isOlder } from './plane.ts';
import { choosePlane, type PlaneChoice } from './plane-choice.ts';
import { answeringPlane } from './plane-process.ts';
import { askWhoAmI } from './sign-in.ts';

export type Finding = {
  name: string;
  state: 'ok' | 'warn' | 'fail';
  /** What was seen. */
  seen: string;
  /** What to do about it. */
  fix?: string | undefined;
};

type Hosted = Extract<PlaneChoice, { kind: 'hosted' }>;

/** Everything that was looked at, in an order in which the first that is wrong explains the most. */
export async function examine(context: Context): Promise<Finding[]> {
  const [git, project, plane] = await Promise.all([
    lookAtGit(context.environment.forChildren),
    lookAtProject(context.directory),
    lookAtPlane(context),
  ]);
  return [lookAtNode(process.versions.node), git, project, ...plane];
}

const ok = (name: string, seen: string): Finding => ({ name, state: 'ok', seen });

/** Pure. */
export function lookAtNode(running: string): Finding {
  const seen = `${running}, Sphere ${version}`;
  if (!isOlder(running, '20.19.0')) return ok('node', seen);
  return { name: 'node', state: 'fail', seen, fix: 'Install Node 20.19 or newer.' };
}

function lookAtGit(environment: NodeJS.ProcessEnv): Promise<Finding> {
  return new Promise((resolve) => {
    execFile('git', ['--version'], { timeout: 5_000, env: environment }, (error, output) => {
      const fix = 'Install git, and see that it is on the PATH: repositories are cloned with it.';
      resolve(
        error
          ? { name: 'git', state: 'fail', seen: 'not found', fix }
          : ok('git', output.trim().replace('git version ', '')),
      );
    });
  });
}

async function lookAtProject(directory: string): Promise<Finding> {
  try {
    const { configuration } = await readProjectDirectory(directory);
    const keys = Object.keys(configuration).filter((key) => key !== '$schema');
    return ok(
      'directory',
      keys.length === 0 ? directory : `${directory}, sphere.json sets ${keys.join(', ')}`,
    );
  } catch (error) {
    return failed('directory', error);
  }
}

async function lookAtPlane(context: Context): Promise<Finding[]> {
  const { home } = context.environment;
  let choice: PlaneChoice;
  try {
    choice = choosePlane(context);
  } catch (error) {
    return [failed('plane', error)];
  }
  if (choice.kind === 'hosted') return lookAtHosted(choice);
  const file = await answeringPlane(home);
  const plane = choice.kind === 'none' ? noPlane : embeddedFinding(file);
  const unusable = dataDirectoryProblem(home);
  if (unusable) return [plane, failed('data', unusable)];
  return [plane, await lookAtDisk(home), ...(file ? [] : await lookAtPort(home))];
}

const noPlane: Finding = {
  name: 'plane',
  state: 'warn',
  seen: 'none chosen yet',
  fix: 'Use one here with `sphere deploy --local`, or sign in to one: `sphere login`.',
};

function embeddedFinding(running: { version: string; url: string } | null): Finding {
  if (!running) return ok('plane', 'on this machine, not running: the next command that needs it starts it');
  const seen = `on this machine, Sphere ${running.version}, at ${running.url}`;
  return running.version === version ? ok('plane', seen) : versionFinding(running.version, seen);
}

function versionFinding(theirs: string, seen: string): Finding {
  const fix = isOlder(theirs, version)
    ? 'The plane is older than this CLI: update it. (On this machine it is replaced when its builds have ended.)'
    : 'The plane is newer than this CLI: update the CLI.';
  return { name: 'plane', state: 'warn', seen, fix };
}

async function lookAtHosted({ address, urlFrom, tokenFrom }: Hosted): Promise<Finding[]> {
  const api = createApi(address);
  try {
    const startedAt = performance.now();
    const health = await api.health(10_000);
    const tookMs = performance.now() - startedAt;
    const reached = healthFinding(health, `${address.url} (${urlFrom})`, tookMs);
    try {
      const askedAt = Date.now();
      const who = await askWhoAmI(api);
      const now = Date.now();
      return [reached, tokenFinding(who, tokenFrom, now), clockFinding(who.time, askedAt, now)];
    } catch (error) {
      return [reached, failed('token', error)];
    }
  } catch (error) {
    return [failed('plane', error)];
  } finally {
    api.close();
  }
}

/** Pure. */
export function healthFinding(health: Health, where: string, tookMs: number): Finding {
  const seen = `${where}, Sphere ${health.version}, answered in ${Math.round(tookMs)} ms`;
  if (health.waitingFor) {
    const fix = 'Tell the admin of the plane: `sphere server check` there looks for the cause.';
    return {
      name: 'plane',
      state: 'warn',
      seen: `${seen}, waiting for ${health.waitingFor.join(', ')}`,
      fix,
    };
  }
  return health.version === version ? ok('plane', seen) : versionFinding(health.version, seen);
}

/** Pure. */
export function tokenFinding({ account, token }: WhoAmI, from: string, now: number): Finding {
  const whose = `${account ?? 'the admin'}${token ? `, "${token.name}"` : ''} (${from})`;
  const expiresAt = token?.expiresAt ?? null;
  if (expiresAt === null) return ok('token', `${whose}, does not expire`);
  const days = Math.floor((Date.parse(expiresAt) - now) / 86_400_000);
  const seen = `${whose}, expires on ${expiresAt.slice(0, 10)}`;
  if (days >= 7) return ok('token', seen);
  const fix = 'Ask for a new one in time: `sphere token create`, by the admin of the plane.';
  return { name: 'token', state: 'warn', seen: `${seen}, in ${days} ${days === 1 ? 'day' : 'days'}`, fix };
}

/** The plane's time lies between the question and the answer, where the clocks agree. Pure. */
export function clockFinding(time: string, askedAt: number, answeredAt: number): Finding {
  const theirs = Date.parse(time);
  const off = theirs < askedAt ? theirs - askedAt : theirs > answeredAt ? theirs - answeredAt : 0;
  const seconds = Math.round(Math.abs(off) / 1000);
  if (seconds < 60) return ok('clock', 'agrees with the plane');
  const seen = `${seconds} s ${off > 0 ? 'behind' : 'ahead of'} the plane`;
  const fix = 'Set the clock of this machine (or of the plane): uploads are signed for a limited time.';
  return { name: 'clock', state: 'warn', seen, fix };
}

async function lookAtDisk(home: string): Promise<Finding> {
  let there = home;
  while (!existsSync(there) && there !== path.dirname(there)) there = path.dirname(there);
  const { bavail, bsize } = await statfs(there);
  const free = bavail * bsize;
  const seen = `${bytes(free)} free for ${home}`;
  if (free >= 2e9) return ok('disk', seen);
  const fix = 'Free some: `sphere prune` removes what no site needs; or set SPHERE_HOME to another disk.';
  return { name: 'disk', state: free < 200e6 ? 'fail' : 'warn', seen, fix };
}

/** The port that the sites had, which no other program should have taken while the plane was away. */
async function lookAtPort(home: string): Promise<Finding[]> {
  const file = path.join(home, 'port');
  if (!existsSync(file)) return [];
  const port = Number(readFileSync(file, 'utf8'));
  if (!Number.isInteger(port)) return [];
  const since = ago(statSync(file).mtime.toISOString(), Date.now());
  if (await isFree(port)) return [ok('port', `${port} is free`)];
  const fix = 'End that program, or the sites move to another port when the plane starts.';
  return [
    { name: 'port', state: 'warn', seen: `${port}, ours since ${since}, is taken by another program`, fix },
  ];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function failed(name: string, error: unknown): Finding {
  const known = error instanceof SphereError ? error : fileError(error);
  if (known === null) throw error;
  // Some messages have their details in lines of their own already: here all of it is one line of a table.
  const [first = '', ...lines] = known.message.split('\n');
  const more = known.details ?? lines;
  return { name, state: 'fail', seen: [first, ...more].join(' '), fix: known.hint };
}
