/** Sources and deployments, for accounts. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request } from 'express';
import {
  createDeploymentSchema,
  idempotencyHeader,
  redeploySchema,
  sourceRequestSchema,
} from '../../contract/api.ts';
import { SphereError } from '../../contract/errors.ts';
import { decodeLines, type LogBatch } from '../../contract/logs.ts';
import { sha256Pattern } from '../../contract/manifest.ts';
import { routePath } from '../../contract/routes.ts';
import { cancelDeployment } from '../cancel-deployment.ts';
import { createDeployment } from '../create-deployment.ts';
import { findDeployment, showDeployment } from '../deployments.ts';
import { followLog } from '../follow.ts';
import { listDeployments } from '../history.ts';
import { prepareReading } from '../old-logs.ts';
import type { OpenUses } from '../open-uses.ts';
import type { Plane } from '../plane.ts';
import { findProject } from '../projects.ts';
import { redeploy } from '../redeploy.ts';
import { createTurns } from '../turns.ts';
import { parse, type RouteContext, type RouteTable } from './mount.ts';
import { oneText, pageSize, statusesOf } from './query.ts';
import { throughPlane } from './transfers.ts';

const maxSourceBytes = 2 * 1024 ** 3;

/** The routes of sources and deployments. */
export function deploymentRoutes(plane: Plane, uses: OpenUses): RouteTable {
  const turns = createTurns();
  return {
    offerSource: {
      async answer({ request, account }) {
        const { digest, bytes, archive } = parse(sourceRequestSchema, request.body);
        const most = Math.max(bytes, archive?.bytes ?? 0);
        if (most > maxSourceBytes) {
          throw new SphereError(
            'TOO_LARGE',
            `the source has ${Math.round(most / 1e6)} MB; at most 2,147 MB are taken`,
            {
              hint: 'Leave files out with .sphereignore.',
            },
          );
        }
        if (await plane.sites.hasSource(account(), digest)) return { digest };
        const { transfer } = plane.sites;
        if (transfer.kind === 'direct') {
          if (!archive) return { digest, describeArchive: true };
          return { digest, upload: await transfer.sourceUpload(account(), digest, archive) };
        }
        const url = `${plane.settings.url}${routePath('uploadSource', { digest })}`;
        return { digest, upload: { url, headers: { authorization: request.headers.authorization ?? '' } } };
      },
    },
    uploadSource: {
      body: 'stream',
      async answer({ request, account, parameter }) {
        const digest = parameter('digest');
        if (!sha256Pattern.test(digest))
          throw new SphereError('REQUEST_INVALID', 'the digest is not a SHA-256');
        await throughPlane(plane).putSource(account(), digest, request);
        return {};
      },
    },
    createDeployment: {
      async answer({ request, response, account, reach }) {
        const body = parse(createDeploymentSchema, request.body);
        reach(body.project);
        const answer = await createDeployment(plane, account(), body, idempotencyKey(request), turns);
        response.status(answer.outcome === 'created' ? 201 : 200).json(answer);
        return undefined;
      },
    },
    listDeployments: {
      async answer({ request, account, holder, reach }) {
        const { limit, before, status, branch } = request.query;
        // Of a token that is for one project, nothing may stand for "all".
        const project = oneText('project', request.query.project) ?? holder().project;
        if (project !== null) reach(project);
        // A token may be for a project that is not there yet: it has no deployments, which is no mistake of its bearer.
        const none = (error: unknown) => {
          if (request.query.project === undefined) return null;
          throw error;
        };
        const of = project === null ? undefined : await findProject(plane, account(), project).catch(none);
        if (of === null) return { deployments: [], next: null };
        return listDeployments(plane, account(), {
          project: of?.id,
          limit: limit === undefined ? 20 : pageSize(limit),
          before: oneText('before', before),
          statuses: statusesOf(status),
          branch: oneText('branch', branch),
        });
      },
    },
    getDeployment: {
      async answer({ account, parameter }) {
        return showDeployment(plane, await findDeployment(plane.database.query, account(), parameter('id')));
      },
    },
    cancelDeployment: {
      async answer({ account, parameter }) {
        return showDeployment(plane, await cancelDeployment(plane, account(), parameter('id')));
      },
    },
    redeploy: {
      async answer({ request, response, account, parameter }) {
        const body = parse(redeploySchema, request.body);
        const answer = await redeploy(
          plane,
          account(),
          parameter('id'),
          body,
          idempotencyKey(request),
          turns,
        );
        response.status(201).json(answer);
        return undefined;
      },
    },
    deploymentLogs: { answer: (context) => streamLogs(plane, uses, context) },
  };
}

function idempotencyKey(request: Request): string | undefined {
  const key = request.headers[idempotencyHeader];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && /^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw new SphereError('REQUEST_INVALID', 'an Idempotency-Key has 1 to 200 printable characters');
}

/** The log as NDJSON objects: `?after=` a seq, `?follow=1` until the end. */
async function streamLogs(
  plane: Plane,
  uses: OpenUses,
  { request, response, account, holder, parameter }: RouteContext,
): Promise<undefined> {
  const row = await findDeployment(plane.database.query, account(), parameter('id'));
  const after = request.query.after === undefined ? 0 : Number(request.query.after);
  if (!Number.isSafeInteger(after) || after < 0) {
    throw new SphereError('REQUEST_INVALID', '"after" takes the number of a line');
  }
  await prepareReading(plane, row);
  const gone = new AbortController();
  const release = uses.hold(holder(), () => response.destroy());
  response.on('close', () => {
    release();
    gone.abort();
  });
  if (response.destroyed) {
    // It went away while the deployment was looked up: nothing tells of it any more.
    release();
    return undefined;
  }
  response.type('application/x-ndjson').flushHeaders();
  const wait = request.query.follow === '1';
  const log = followLog(plane.logs, row.id, after, { maxBatchBytes: 256 * 1024, stop: gone.signal, wait });
  // A client that goes away in the middle is no failure.
  await pipeline(Readable.from(asObjects(log)), response).catch(() => {});
  return undefined;
}

async function* asObjects(log: AsyncIterable<LogBatch>): AsyncGenerator<string> {
  for await (const batch of log) {
    yield decodeLines(batch.lines)
      .map((line) => `${JSON.stringify(line)}\n`)
      .join('');
  }
}
