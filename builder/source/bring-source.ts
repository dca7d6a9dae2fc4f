/** Brings the source of a deployment to this machine. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Source } from '../../contract/api.ts';
import { SphereError } from '../../contract/errors.ts';
import { unpackSource } from '../../files/archive.ts';
import { digestTree } from '../../files/digest.ts';
import { sourceLimits } from '../../files/source.ts';
import { gitMachineEnvironment } from '../command/environment.ts';
import { type BuildContext, enterPhase } from '../context.ts';
import { gitToken } from '../secrets/search-output.ts';
import { count, since } from '../wording.ts';
import { cloneRepository, short } from './clone.ts';

type GitSource = Extract<Source, { kind: 'git' }>;
type UploadSource = Extract<Source, { kind: 'upload' }>;

/** Returns the directory with the source. Throws SOURCE_UNAVAILABLE, SOURCE_REFUSED, DIGEST_MISMATCH, TOO_LARGE. */
export async function bringSource(context: BuildContext, source: GitSource | UploadSource): Promise<string> {
  await enterPhase(context, 'clone');
  const directory = join(context.config.workDirectory, 'source');
  if (source.kind === 'git') await clone(context, source, directory);
  else await unpack(context, source, directory);
  return directory;
}

async function clone(context: BuildContext, source: GitSource, directory: string): Promise<void> {
  const { spec, config, plane, log, signal } = context;
  const start = performance.now();
  // Asked for here and nowhere else: it is gone before a command of the source can run.
  const token = spec.hasCredential ? await plane.credential() : undefined;
  if (token !== undefined) {
    log.hide(token);
    context.secrets.push({ name: gitToken, value: token });
  }
  const named = source.ref === undefined ? '' : ` (${source.ref})`;
  log.say(`Cloning ${source.repository} at ${short(source.commit)}${named}.`);
  await cloneRepository({
    ...source,
    directory,
    mirrors: join(config.cacheDirectory, 'git'),
    allowLocal: spec.allowLocalRepository,
    // A plane of the version before says nothing of it.
    gitHosts: spec.allowLocalRepository ? null : (spec.gitHosts ?? []),
    token,
    environment: gitMachineEnvironment(config.machine),
    signal,
    say: log.say,
  });
  log.say(`Cloned in ${since(start)}.`);
}

async function unpack(context: BuildContext, source: UploadSource, directory: string): Promise<void> {
  const { spec, log } = context;
  const start = performance.now();
  if (spec.sourceUrl === null) throw new Error('an uploaded source has no address');
  await fetchAndUnpack(context, spec.sourceUrl, directory);
  const { digest, entries } = await digestTree(directory);
  if (digest !== source.digest) {
    throw new SphereError(
      'DIGEST_MISMATCH',
      'The uploaded source is not the one that the deployment names.',
      {
        hint: 'Deploy again: the source is uploaded anew.',
      },
    );
  }
  log.say(`Unpacked the uploaded source, ${count(entries.length, 'file')}, in ${since(start)}.`);
}

/** A plane that restarts breaks off in the middle of an answer. */
const unpackTries = 4;

async function fetchAndUnpack(
  { plane, signal }: BuildContext,
  url: string,
  directory: string,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    mkdirSync(directory, { recursive: true });
    const archive = await plane.openSource(url);
    try {
      return await unpackSource(archive, directory, sourceLimits);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SphereError || attempt === unpackTries) throw error;
      rmSync(directory, { recursive: true, force: true });
    }
  }
}
