/** Collects what a build has left and gives it to the plane. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildResult } from '../../contract/builder-api.ts';
import type { Serving } from '../../contract/configuration.ts';
import { SphereError } from '../../contract/errors.ts';
import { outputLimits } from '../../contract/manifest.ts';
import { collectOutput } from '../../files/output.ts';
import { type BuildContext, enterPhase, warn } from '../context.ts';
import { refuseFound, searchOutput } from '../secrets/search-output.ts';
import { count, since, size } from '../wording.ts';
import { basePathOf } from './base-path.ts';
import { servingWarnings } from './serving-warnings.ts';
import { mountAt, servingOf, withoutNames } from './site.ts';
import { unlessUnreadable } from './unreadable.ts';
import { blobPaths, uploadSite } from './upload.ts';

export type Output = {
  directory: string;
  /** The directory as people know it. */
  shown: string;
  /** Names at its top that are not the site's. */
  leaveOut: readonly string[];
  /** The path that the site is built for; null for `/`. */
  basePath: string | null;
  /** What makes addresses in the browser, if anything does. */
  browserRouter: string | null;
  serving: Serving;
  /** As whom it was built, where that is not the builder's own user. */
  owner: number | null;
};

/** How many left-out paths are named. */
const namedPaths = 5;
/** A first page of more bytes is not read for what it asks for. */
const longestPage = 2_000_000;

/** Throws OUTPUT_INVALID when there is nothing to publish, or something that cannot be; SECRET_IN_OUTPUT. */
export async function publishOutput(
  context: BuildContext,
  output: Output,
): Promise<Extract<BuildResult, { outcome: 'built' }>> {
  const { log, plane, signal, warnings } = context;
  if (log.phase !== 'upload') await enterPhase(context, 'upload');
  const start = performance.now();
  const owner = output.owner === null ? {} : { owner: output.owner };
  const limits = { ...outputLimits, ...owner };
  const collected = await unlessUnreadable(() => collectOutput(output.directory, limits));
  const files = withoutNames(collected.files, output.leaveOut);
  const number = Object.keys(files).length;
  if (number === 0) {
    throw new SphereError('OUTPUT_INVALID', `${output.shown} holds nothing to publish.`, {
      hint:
        context.spec.source.kind === 'prebuilt'
          ? 'Name the directory that holds the built site: --prebuilt DIR.'
          : 'Set "outputDirectory" in sphere.json, or --output, to where the build leaves the site.',
      ...(collected.leftOut.length === 0 ? {} : { details: [`Left out: ${collected.leftOut.join(', ')}`] }),
    });
  }
  log.say(`Output: ${output.shown}, ${count(number, 'file')}, ${size(bytesOf(files))}.`);
  const leftOut = [
    ...collected.leftOut.filter((path) => !/^\.git\/?$/.test(path)),
    ...Object.keys(collected.files).filter((path) => !(path in files)),
  ];
  if (leftOut.length > 0) log.say(`Left out: ${firstOf(leftOut)}.`);
  for (const warning of collected.warnings) warn(context, warning);

  await refuseSecrets(context, output.directory, Object.keys(files));
  const serving = servingOf({ files, serving: output.serving }, output.browserRouter);
  if (serving !== output.serving) {
    log.say(
      `index.html answers unknown paths too, for ${output.browserRouter}; "spa": false in sphere.json ends that.`,
    );
  }
  for (const warning of servingWarnings(serving, files).slice(0, namedPaths)) warn(context, warning);
  const basePath = output.basePath ?? (await basePathOfPage(output.directory, files));
  const site = placed(context, { files, serving }, basePath);
  const manifest = { version: 1 as const, ...site };
  const figures = await uploadSite(plane, manifest, blobPaths(output.directory, files), signal);
  const rest =
    figures.files === 0
      ? 'everything was there already'
      : `${count(figures.files, 'file')}, ${size(figures.bytes)}`;
  log.say(`Uploaded in ${since(start)}: ${rest}.`);
  return {
    outcome: 'built',
    uploaded: figures.files,
    uploadedBytes: figures.bytes,
    warnings: warnings.slice(0, 50),
  };
}

/** Throws SECRET_IN_OUTPUT. */
async function refuseSecrets(
  { log, secrets, signal }: BuildContext,
  directory: string,
  paths: readonly string[],
): Promise<void> {
  if (secrets.length === 0) return;
  const start = performance.now();
  refuseFound(await searchOutput(directory, paths, secrets, signal));
  log.say(`No secret is in the output (looked for ${count(secrets.length, 'secret')} in ${since(start)}).`);
}

type Site = Parameters<typeof mountAt>[0];

/** What a configuration computes shows in the first page. */
async function basePathOfPage(directory: string, files: Site['files']): Promise<string | null> {
  const index = files['index.html'];
  if (index === undefined || index.bytes > longestPage) return null;
  return basePathOf(await readFile(join(directory, 'index.html'), 'utf8'), new Set(Object.keys(files)));
}

function placed({ log }: BuildContext, site: Site, basePath: string | null): Site {
  const mounted = basePath === null ? null : mountAt(site, basePath);
  if (mounted === null) return site;
  log.say(`The site is put below ${basePath}, which it is built for; / leads there.`);
  return mounted;
}

function firstOf(paths: readonly string[]): string {
  const named = paths.slice(0, namedPaths).join(', ');
  return paths.length > namedPaths ? `${named} and ${paths.length - namedPaths} more` : named;
}

function bytesOf(files: Site['files']): number {
  return Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
}
