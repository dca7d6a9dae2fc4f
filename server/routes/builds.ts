/** What a builder says to the plane, with the token of its attempt. */
import { pipeline } from 'node:stream/promises';
import {
  builderPhases,
  type CacheAnswer,
  cacheNamePattern,
  type KeepCacheAnswer,
  keepCacheSchema,
  type LogRequest,
  phaseSchema,
  registerSchema,
  resultSchema,
} from '../../contract/builder-api.ts';
import { SphereError } from '../../contract/errors.ts';
import { batchLimits, maxLineLength, type NewLine } from '../../contract/logs.ts';
import { lookAlikePaths, type Manifest, outputLimits, sha256Pattern } from '../../contract/manifest.ts';
import { routePath } from '../../contract/routes.ts';
import { logStreams } from '../../contract/words.ts';
import {
  type Attempt,
  enterAttemptPhase,
  failAttempt,
  gitCredential,
  heartbeat,
  ignoreAttempt,
  loseAttempt,
  onAttempt,
  onBuiltAttempt,
  registerBuilder,
} from '../attempts.ts';
import { checkManifest } from '../check-manifest.ts';
import { findManifest, manifestName, siteOf } from '../deployments.ts';
import type { Plane } from '../plane.ts';
import type { Site, Upload } from '../ports.ts';
import { requestPublication } from '../publications.ts';
import { parse, type RouteTable } from './mount.ts';
import { throughPlane } from './transfers.ts';

/** The routes of builders. */
export function buildRoutes(plane: Plane): RouteTable {
  const expectedBlobs = createExpectedBlobs(plane);
  const cacheOf = async (attempt: Attempt, name: string) => {
    const { transfer } = plane.sites;
    if (transfer.kind !== 'direct')
      throw new SphereError('NOT_FOUND', 'builds of this plane keep their caches on its machine');
    if (!cacheNamePattern.test(name)) throw new SphereError('REQUEST_INVALID', 'no cache has such a name');
    return { transfer, name, site: siteOf(await onAttempt(plane, attempt, async (_, row) => row)) };
  };
  return {
    registerBuilder: {
      async answer({ request, attempt }) {
        return registerBuilder(plane, attempt(), parse(registerSchema, request.body));
      },
    },
    buildSource: {
      async answer({ response, attempt }) {
        const { source, account_id } = await onAttempt(plane, attempt(), async (_, row) => row);
        if (source.kind !== 'upload')
          throw new SphereError('NOT_FOUND', 'this deployment has no uploaded source');
        const { content, bytes } = await throughPlane(plane).openSource(account_id, source.digest);
        response.type('application/gzip').set('content-length', String(bytes));
        await pipeline(content, response);
        return undefined;
      },
    },
    buildCredential: { answer: async ({ attempt }) => ({ token: await gitCredential(plane, attempt()) }) },
    buildLogs: {
      body: { json: '8mb' },
      async answer({ request, attempt }) {
        const { batch, lines } = checkLogs(request.body);
        const { deployment, attempt: number } = attempt();
        return plane.logs.append(deployment, { attempt: number, batch }, lines);
      },
    },
    buildPhase: {
      async answer({ request, attempt }) {
        const body = parse(phaseSchema, request.body);
        await enterAttemptPhase(plane, attempt(), {
          phase: body.phase,
          ...(body.detections ? { detections: body.detections } : {}),
        });
        return {};
      },
    },
    buildHeartbeat: {
      async answer({ attempt }) {
        await heartbeat(plane, attempt());
        return {};
      },
    },
    buildManifest: {
      body: { json: '32mb' },
      heavy: true,
      async answer({ request, attempt }) {
        const manifest = await checkManifest(request.body);
        const files = Object.values(manifest.files);
        checkOutput(files);
        checkPaths(Object.keys(manifest.files));
        const site = siteOf(await onAttempt(plane, attempt(), async (_, row) => row));
        await plane.sites.putManifest(site, nameOf(attempt()), manifest);
        expectedBlobs.note(nameOf(attempt()), manifest);
        const sizes = blobsOf(manifest);
        const missing = await plane.sites.missingBlobs(site, sizes);
        const { transfer } = plane.sites;
        if (transfer.kind === 'direct') {
          const blobs = missing.map((blob) => ({ blob, bytes: sizes.get(blob) as number }));
          const uploads = await transfer.blobUploads(site, blobs);
          return { missing: missing.map((blob, n) => ({ blob, ...(uploads[n] as Upload) })) };
        }
        const headers = { authorization: request.headers.authorization ?? '' };
        return {
          missing: missing.map((blob) => ({
            blob,
            url: `${plane.settings.url}${routePath('uploadBlob', { ...attempt(), blob })}`,
            headers,
          })),
        };
      },
    },
    uploadBlob: {
      body: 'stream',
      async answer({ request, attempt, parameter }) {
        const blob = parameter('blob');
        if (!sha256Pattern.test(blob))
          throw new SphereError('REQUEST_INVALID', 'the blob is not named by a SHA-256');
        const transfer = throughPlane(plane);
        const site = siteOf(await onAttempt(plane, attempt(), async (_, row) => row));
        await expectedBlobs.check(site, nameOf(attempt()), blob, request.headers['content-length']);
        await transfer.putBlob(site, blob, request);
        return {};
      },
    },
    buildCache: {
      async answer({ attempt, parameter }): Promise<CacheAnswer> {
        const { site, name, transfer } = await cacheOf(attempt(), parameter('name'));
        return { url: await transfer.cacheDownload(site, name) };
      },
    },
    keepBuildCache: {
      async answer({ request, attempt, parameter }): Promise<KeepCacheAnswer> {
        const archive = parse(keepCacheSchema, request.body);
        const { site, name, transfer } = await cacheOf(attempt(), parameter('name'));
        return transfer.cacheUpload(site, name, archive);
      },
    },
    buildResult: {
      async answer({ request, attempt }) {
        await takeResult(plane, attempt(), parse(resultSchema, request.body));
        return {};
      },
    },
  };
}

const nameOf = ({ deployment, attempt }: Attempt) => manifestName({ id: deployment, attempt });

/** Of which blobs, and how long, the manifests of running attempts are: nothing else is taken. */
function createExpectedBlobs(plane: Plane) {
  const known = new Map<string, Map<string, number>>();
  const note = (name: string, manifest: Manifest) => {
    if (known.size >= 64) known.delete(known.keys().next().value as string);
    const bytes = blobsOf(manifest);
    known.set(name, bytes);
    return bytes;
  };
  return {
    note,
    async check(site: Site, name: string, blob: string, length: string | undefined): Promise<void> {
      const expected =
        known.get(name) ?? note(name, (await findManifest(plane.sites, site, name)) ?? noManifest());
      const bytes = expected.get(blob);
      if (bytes === undefined) throw new SphereError('REQUEST_INVALID', 'the manifest names no such blob');
      if (length !== undefined && Number(length) !== bytes) {
        throw new SphereError(
          'DIGEST_MISMATCH',
          `the blob has ${bytes} bytes in the manifest, and ${length} here`,
        );
      }
    },
  };
}

/** The blobs of a manifest, and their sizes. */
function blobsOf(manifest: Manifest): Map<string, number> {
  return new Map(Object.values(manifest.files).map((file) => [file.blob, file.bytes]));
}

function noManifest(): never {
  throw new SphereError('REQUEST_INVALID', 'there is no manifest yet');
}

async function takeResult(
  plane: Plane,
  attempt: Attempt,
  result: ReturnType<typeof resultSchema.parse>,
): Promise<void> {
  // The builder leaves, and can send nothing again: what it has said is made safe now.
  await plane.logs.appendOwn(attempt.deployment, []);
  if (result.outcome === 'ignored') return ignoreAttempt(plane, attempt, result.message);
  if (result.outcome === 'failed') {
    const { reason, error } = result;
    const { source, account_id } = await onAttempt(plane, attempt, async (_, row) => row);
    // The archive is not what its digest says: without it, the next deployment uploads it anew.
    if (error.code === 'DIGEST_MISMATCH' && source.kind === 'upload')
      await plane.sites.removeSource(account_id, source.digest);
    // A disk that is full is so for the next attempt, too.
    if (reason === 'infrastructure' && error.code !== 'DISK_FULL')
      return loseAttempt(plane, attempt, reason, error);
    return failAttempt(plane, attempt, reason, error);
  }
  const row = await onBuiltAttempt(plane, attempt, async (_, row) => row);
  // A result whose answer was lost is sent again.
  if (row.phase === 'publish') return;
  const site = siteOf(row);
  const manifest = (await findManifest(plane.sites, site, nameOf(attempt))) ?? noManifest();
  const missing = await plane.sites.missingBlobs(site, blobsOf(manifest));
  if (missing.length > 0) {
    throw new SphereError(
      'REQUEST_INVALID',
      `${missing.length} blobs of the manifest have not been uploaded`,
    );
  }
  const warnings = [...result.warnings, ...(await plane.sites.shortcomings(site, manifest))];
  await requestPublication(plane, attempt, { ...result, warnings, manifest });
}

function checkOutput(files: readonly { bytes: number }[]): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (files.length === 0) throw new SphereError('OUTPUT_INVALID', 'the output is empty');
  if (files.length > outputLimits.files || bytes > outputLimits.bytes) {
    throw new SphereError('OUTPUT_INVALID', `the output has ${files.length} files and ${bytes} bytes`, {
      hint: `At most ${outputLimits.files} files and ${outputLimits.bytes} bytes are taken.`,
    });
  }
}

function checkPaths(paths: readonly string[]): void {
  const alike = lookAlikePaths(paths);
  if (alike === null) return;
  const written = alike.map((path) => encodeURI(path)).join(' and ');
  throw new SphereError(
    'OUTPUT_INVALID',
    `two files of the output have names that look the same: ${written}`,
    {
      hint: 'They differ only in how an accent is written. Rename one of them.',
    },
  );
}

const knownPhases = new Set<string>(builderPhases);
const knownStreams = new Set<string>(logStreams);

/** Checks a batch by hand: a schema library would cost more per line than everything else that happens to it. */
function checkLogs(body: unknown): LogRequest {
  const { batch, lines } = (body ?? {}) as Partial<LogRequest>;
  const valid =
    Number.isSafeInteger(batch) &&
    (batch as number) > 0 &&
    Array.isArray(lines) &&
    lines.length <= batchLimits.lines &&
    lines.every(isLine);
  if (!valid) throw new SphereError('REQUEST_INVALID', 'the body is not a batch of log lines');
  return { batch: batch as number, lines };
}

function isLine(line: unknown): line is NewLine {
  return (
    Array.isArray(line) &&
    line.length === 4 &&
    Number.isSafeInteger(line[0]) &&
    knownPhases.has(line[1]) &&
    knownStreams.has(line[2]) &&
    typeof line[3] === 'string' &&
    line[3].length <= maxLineLength
  );
}
