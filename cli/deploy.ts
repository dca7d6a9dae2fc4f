/** `sphere deploy`: from settings and a source to a deployment, followed to its end. */
import path from 'node:path';
import type { CreateDeployment, CreateDeploymentAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { chooseRegion } from './choose-region.ts';
import type { Context, Result } from './command.ts';
import { seeToEnd, untilInterrupted } from './created-deployment.ts';
import { alreadyLive } from './deployment-end.ts';
import { deploymentEnvironment, type EnvironmentFlags } from './deployment-environment.ts';
import { createRequest } from './deployment-request.ts';
import { checkDirectory } from './directory.ts';
import { dryRunResult } from './dry-run.ts';
import { readTimeout } from './durations.ts';
import { agreeToSource } from './foreign-source.ts';
import { readGithubEvent } from './github-results.ts';
import { isolationMode } from './isolation.ts';
import { connectPlane, type Plane } from './plane.ts';
import { choosePlane, type PlaneChoice, planeNotChosen } from './plane-choice.ts';
import { planSource } from './planned-source.ts';
import { publishPrebuilt } from './prebuilt.ts';
import { NotPushed } from './pushed.ts';
import { readProject } from './read-project.ts';
import { readTargets, replacementText } from './replacement.ts';
import { type Reports, reporting } from './reports.ts';
import type { SettingFlags } from './settings.ts';
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
export function deploy(context: Context, named: string | undefined, options: DeployOptions): Promise<Result> {
  return reporting(context, (reports) => deployOrUpload(context, named, options, reports));
}

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
  reports: Reports,
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
  const isNew = before.length === 0;
  const region = settings.region?.value ?? (isNew ? await chooseRegion(context, plane) : undefined);
  const request = createRequest({
    settings,
    region,
    prepared,
    slug,
    target,
    environment: values,
    isolation,
    gitToken: environment.variables.SPHERE_GIT_TOKEN,
    force: options.force === true,
    cache: options.cache,
  });
  return untilInterrupted(context, plane, async (interrupted) => {
    const answer = await create(context, plane, request, target);
    const { deployment, builder } = answer;
    if (answer.outcome === 'already_live') {
      reports.ended(deployment, 'already_live');
      reports.done(deployment);
      return alreadyLive(context, deployment);
    }
    const replaced = replacementText(answer, deployment.project === slug ? before : [], Date.now());
    if (replaced) output.note(replaced);
    const { prebuilt: files } = prepared;
    const publish =
      builder && files !== null
        ? { plane, answer: { ...answer, builder }, directory: files, environment: environment.forChildren }
        : null;
    return seeToEnd(context, {
      plane,
      deployment,
      reports,
      interrupted,
      startedAt,
      timeoutMs,
      detach: options.detach === true,
      ...(publish ? { beside: () => publishPrebuilt(publish) } : {}),
    });
  });
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
