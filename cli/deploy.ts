/** `sphere deploy`: from settings and a source to a deployment, followed to its end. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CreateDeployment, CreateDeploymentAnswer, Deployment } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import type { Context, Result } from './command.ts';
import { alreadyLive, conclude, DeploymentEnded, resultObject } from './deployment-end.ts';
import { deploymentEnvironment, type EnvironmentFlags } from './deployment-environment.ts';
import { checkDirectory } from './directory.ts';
import { dryRunResult } from './dry-run.ts';
import { readTimeout } from './durations.ts';
import { type EventFile, openEventFile } from './event-file.ts';
import { type FollowRequest, followDeployment } from './follow.ts';
import { agreeToSource } from './foreign-source.ts';
import { type GithubResults, openGithubResults, readGithubEvent } from './github-results.ts';
import { isolationMode } from './isolation.ts';
import { connectPlane, type Plane } from './plane.ts';
import { choosePlane, type PlaneChoice, planeNotChosen } from './plane-choice.ts';
import { planSource } from './planned-source.ts';
import { type PrebuiltBuilder, startPrebuiltBuilder } from './prebuilt.ts';
import { NotPushed } from './pushed.ts';
import { readProject } from './read-project.ts';
import { readTargets, replacementText } from './replacement.ts';
import { buildValues, type SettingFlags, type Settings } from './settings.ts';
import { type PreparedSource, prepareSource } from './source.ts';
import {
  branchOf,
  checkTargetFlags,
  chooseTarget,
  type TargetFlags,
  targetFields,
  targetName,
  type WantedTarget,
} from './target.ts';

export type DeployOptions = SettingFlags &
  TargetFlags &
  EnvironmentFlags & {
    dryRun?: true;
    isolation?: string;
    detach?: true;
    force?: true;
    timeout?: string;
    /** False after `--no-cache`. */
    cache: boolean;
  };

/** Deploys `named` (a directory; default: the context's). Throws what went wrong, `DeploymentEnded` once there was a deployment. */
export async function deploy(
  context: Context,
  named: string | undefined,
  options: DeployOptions,
): Promise<Result> {
  const { environment, output } = context;
  const reports: Reports = {
    events: openEventFile(environment.variables.SPHERE_OUTPUT_FILE ?? null, output.warn),
    github: openGithubResults(environment.github, output.warn),
  };
  try {
    return await deployOrUpload(context, named, options, reports);
  } catch (error) {
    if (error instanceof SphereError) {
      const body = error.toBody();
      reports.events.write({ type: 'error', error: body });
      const deployment = error instanceof DeploymentEnded ? error.deployment : null;
      reports.github.ended({ deployment, error: body });
    }
    throw error;
  }
}

/** Who else is told how it goes: the scripts around, and the workflow. */
type Reports = { events: EventFile; github: GithubResults };

/** Where the commit here is not on the named repository, a person may have the directory uploaded instead. */
async function deployOrUpload(
  context: Context,
  named: string | undefined,
  options: DeployOptions,
  reports: Reports,
): Promise<Result> {
  try {
    return await deployAndFollow(context, named, options, reports);
  } catch (error) {
    if (!(error instanceof NotPushed) || !context.prompts) throw error;
    context.output.warn(error.message);
    if (!(await context.prompts.confirm('Upload this directory as it is instead?'))) throw error;
    return deployAndFollow(context, named, { ...options, repo: false }, reports);
  }
}

async function deployAndFollow(
  context: Context,
  named: string | undefined,
  options: DeployOptions,
  { events, github }: Reports,
): Promise<Result> {
  const startedAt = Date.now();
  const { environment, output } = context;
  checkUse(named, options);
  const timeoutMs = readTimeout(options.timeout);
  const isolation = isolationMode(options.isolation, environment.variables.SPHERE_ISOLATION);
  const { directory, top, settings, configuration } = await readProject(context, named, options);
  const values = deploymentEnvironment(options, configuration.env);
  const choice = choosePlane({ ...context, directory });
  const prebuilt = options.prebuilt === undefined ? null : path.resolve(context.directory, options.prebuilt);
  if (prebuilt !== null) checkDirectory(prebuilt, 'Name the directory that holds the built site.');
  const hosted = choice.kind === 'hosted';
  const ci = environment.ciRun && readGithubEvent(environment.ciRun, environment.github);
  const prepare = () => prepareSource({ settings, directory, top, prebuilt, environment, ci, hosted });
  const targetOf = ({ source }: PreparedSource) =>
    chooseTarget({ flags: options, file: configuration, branch: branchOf(source) });
  if (options.dryRun) {
    const prepared = await prepare();
    const planned = await planSource({ settings, prepared, top, environment: environment.forChildren });
    const target = targetOf(prepared);
    return dryRunResult({ settings, target, choice, prepared, planned, directory, environment: values });
  }

  const chosen = await offerPlane(context, choice);
  if (chosen.kind === 'embedded' && settings.repository) {
    const repository = settings.repository.value;
    await agreeToSource(context, { repository, directory, home: chosen.home, isolation });
  }
  const slug = settings.slug?.value ?? (await askSlug(context, 'What should the site be called?', null));
  // The two longest waits at once; a failure of either leaves nothing behind.
  const [plane, prepared] = await Promise.all([
    connectPlane(chosen, environment, output.note, slug),
    prepare(),
  ]);
  const target = targetOf(prepared);
  const beside =
    target.kind === 'live' ? '' : ` as the preview ${output.paint('bold', targetName(target, slug))}`;
  output.note(`Deploying ${output.paint('bold', slug)}${beside} from ${prepared.description}`);
  for (const warning of prepared.warnings) output.warn(warning);
  const [before] = await Promise.all([
    readTargets(plane.api, slug),
    sendSource(plane, prepared, output.note),
  ]);
  const request = {
    ...createRequest(settings, prepared, options, environment.variables.SPHERE_GIT_TOKEN, slug),
    ...targetFields(target, slug),
    ...(values === undefined ? {} : { environment: values }),
    // What everybody wants is not said: an older plane may run.
    ...(isolation === 'auto' ? {} : { isolation }),
  };

  const interrupted = new AbortController();
  const release = context.interrupt.hold(() => interrupted.abort());
  try {
    const answer = await create(context, plane, request, target);
    const { deployment } = answer;
    if (answer.outcome === 'already_live') {
      github.ended({ deployment, error: null });
      return alreadyLive(context, deployment, events);
    }
    const { id, project: created, target: to, url } = deployment;
    const replaced = replacementText(answer, created === slug ? before : [], Date.now());
    if (replaced) output.note(replaced);
    events.write({ type: 'created', id, project: created, target: to, url });
    github.created(deployment);
    if (options.detach) {
      output.note(`Left running; see \`sphere logs ${id} -f\`.`);
      github.ended({ deployment, error: null });
      return { json: resultObject('created', deployment), text: id };
    }
    const ended = await follow(context, {
      plane,
      answer,
      prepared,
      events,
      interrupted: interrupted.signal,
      ...(timeoutMs === undefined ? {} : { timeout: { ms: timeoutMs, from: startedAt } }),
    });
    const { status, reason } = ended;
    events.write({ type: 'ended', id, project: created, target: to, url: ended.url, status, reason });
    const result = conclude(context, ended, Date.now() - startedAt, interrupted.signal.aborted);
    github.ended({ deployment: ended, error: null });
    return result;
  } finally {
    release();
    plane.api.close();
  }
}

function checkUse(named: string | undefined, options: DeployOptions): void {
  checkTargetFlags(options);
  if (named !== undefined && options.repo) {
    throw new SphereError(
      'USAGE',
      `The directory ${named} and the repository ${options.repo} cannot both be the source.`,
      {
        hint: 'Name one of them; --root names a directory inside the repository.',
      },
    );
  }
  if (options.timeout !== undefined && (options.detach || options.prebuilt !== undefined)) {
    const other = options.detach ? '--detach' : '--prebuilt';
    const why = options.detach ? 'nothing is waited for' : 'the work is done here, and would end with us';
    throw new SphereError('USAGE', `--timeout does not go with ${other}: ${why}.`, {
      hint: 'Leave one of the two out.',
    });
  }
  if (options.detach && options.prebuilt !== undefined) {
    throw new SphereError(
      'USAGE',
      'With --prebuilt the work is done here, so that --detach has nothing to leave running.',
      {
        hint: 'Leave one of the two out.',
      },
    );
  }
}

/** An unmade choice is offered on a terminal, taken with `--yes`, and an error in CI. */
async function offerPlane(
  { environment, prompts, yes }: Context,
  choice: PlaneChoice,
): Promise<Exclude<PlaneChoice, { kind: 'none' }>> {
  if (choice.kind !== 'none') return choice;
  const question = `No control plane is configured. Run one on this machine, in ${choice.home}?`;
  const accepted = environment.ci ? false : yes || (await prompts?.confirm(question));
  if (!accepted) throw planeNotChosen();
  return { kind: 'embedded', home: choice.home, from: 'your answer' };
}

async function askSlug({ prompts }: Context, question: string, suggestion: string | null): Promise<string> {
  if (prompts) return prompts.slug(question, suggestion);
  throw new SphereError(
    'INPUT_NEEDED',
    'No name for the site can be derived from the directory or repository.',
    {
      hint: 'Name it with --slug.',
    },
  );
}

async function sendSource(
  plane: Plane,
  { upload }: PreparedSource,
  say: (text: string) => void,
): Promise<void> {
  if (!upload) return;
  const { digest, bytes } = upload;
  const answer = await plane.api.offerSource({ digest, bytes });
  if (!answer.upload && !answer.describeArchive) return;
  if (bytes > 20_000_000) say('Sending the source ...');
  const open = await upload.pack();
  if (answer.upload) return plane.api.uploadSource(answer.upload, open);
  const { sendArchive } = await import('./send-archive.ts');
  await sendArchive(plane.api, { digest, bytes }, open());
}

function createRequest(
  settings: Settings,
  prepared: PreparedSource,
  options: DeployOptions,
  gitToken: string | undefined,
  slug: string,
): CreateDeployment {
  const { source, origin } = prepared;
  return {
    project: slug,
    projectNamed: settings.slugNamed || settings.slug === null,
    origin,
    ...(settings.region ? { region: settings.region.value } : {}),
    source,
    build: source.kind === 'prebuilt' ? {} : requestedBuild(settings, options),
    ...(source.kind === 'prebuilt' ? { serving: settings.serving } : {}),
    force: options.force === true,
    noCache: !options.cache,
    ...(source.kind === 'git' && gitToken !== undefined ? { gitToken } : {}),
  };
}

function requestedBuild(settings: Settings, { force }: DeployOptions): CreateDeployment['build'] {
  const { build, limits } = settings;
  return {
    ...buildValues(build),
    ...(limits ? { limits } : {}),
    // Who says --force wants a build.
    ...(force ? { ignoreCommand: null } : {}),
  };
}

/** A derived slug may be somebody's already: a person can say another one. */
async function create(
  context: Context,
  plane: Plane,
  request: CreateDeployment,
  target: WantedTarget,
): Promise<CreateDeploymentAnswer> {
  try {
    return await plane.api.createDeployment(request);
  } catch (error) {
    if (!(error instanceof SphereError) || error.code !== 'SLUG_IN_USE' || !context.prompts) throw error;
    context.output.warn(error.message);
    const project = await askSlug(context, 'What should this site be called instead?', null);
    context.output.note(`To keep that name for the next time: sphere init --slug ${project}`);
    const renamed = { ...request, project, projectNamed: true, ...targetFields(target, project) };
    return create(context, plane, renamed, target);
  }
}

async function follow(
  { output, environment }: Context,
  work: {
    plane: Plane;
    answer: CreateDeploymentAnswer;
    prepared: PreparedSource;
    events: EventFile;
    interrupted: AbortSignal;
    timeout?: NonNullable<FollowRequest['timeout']>;
  },
): Promise<Deployment> {
  const { plane, answer, prepared, events, interrupted, timeout } = work;
  const { builder, deployment } = answer;
  let written = 0;
  const followed = followDeployment({
    plane,
    deployment,
    output,
    interrupted,
    ...(timeout ? { timeout } : {}),
    onState: ({ phases }) => {
      for (const { phase } of phases.slice(written))
        events.write({ type: 'phase', id: deployment.id, phase });
      written = phases.length;
    },
  });
  if (!builder || prepared.prebuilt === null) return followed;
  const child = startPrebuiltBuilder({
    planeUrl: plane.address.url,
    answer: { ...answer, builder },
    directory: prepared.prebuilt,
    environment: environment.forChildren,
  });
  try {
    return await Promise.race([followed, brokenBuilder(child, plane, deployment)]);
  } finally {
    child.stop();
  }
}

/** Rejects when the builder has ended without telling the plane how; else stays pending. */
async function brokenBuilder(child: PrebuiltBuilder, plane: Plane, deployment: Deployment): Promise<never> {
  const { exitCode, printed } = await child.ended;
  await sleep(2_000);
  const { status } = await plane.api.getDeployment(deployment.id);
  if (exitCode === 0 || status !== 'building') return new Promise(() => {});
  await plane.api.cancelDeployment(deployment.id);
  const how = exitCode === null ? 'was killed' : `ended with exit code ${exitCode}`;
  throw new DeploymentEnded(deployment, 'INFRASTRUCTURE', `The program that publishes ${how}.`, {
    details: printed.trim().split('\n').slice(-20),
    hint: 'Try again; the deployment was cancelled.',
  });
}
