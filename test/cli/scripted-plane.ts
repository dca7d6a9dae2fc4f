/** A hosted plane whose one deployment goes as the test says: what the CLI makes of every end can be seen with it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { onTestFinished } from 'vitest';
import type { CreateDeployment, CreateDeploymentAnswer, Deployment, Region } from '../../contract/api.ts';
import type { ErrorBody } from '../../contract/errors.ts';
import {
  type ClientEvents,
  encodeLine,
  followPath,
  type NewLine,
  type PlaneEvents,
} from '../../contract/logs.ts';

export const token = 'test-token';
const id = 'dpl_1';

export type ScriptedPlane = {
  /** For the CLI's environment. */
  environment: Record<string, string>;
  /** Every request so far: `POST /v1/deployments`. */
  requests: string[];
  /** The last body of `POST /v1/deployments`. */
  created(): CreateDeployment | undefined;
  /** Appends to the log. */
  print(...lines: NewLine[]): void;
  /** Ends the deployment and its log. */
  end(end: Partial<Deployment>): void;
};

export type Script = {
  /** Where it may keep sites; default: it does not say. */
  regions?: Region[];
  /** What `POST /v1/deployments` answers; default: created. */
  outcome?: CreateDeploymentAnswer['outcome'];
  /** Refuses `POST /v1/deployments`. */
  refuse?: { status: number; error: ErrorBody };
  /** Refuses `GET /v1/deployments`. */
  refuseList?: { status: number; error: ErrorBody };
  /** Refuses to cancel. */
  refuseCancel?: { status: number; error: ErrorBody };
  /** Has no log: neither its stream nor what is stored of it can be reached. */
  noLog?: true;
  /** Called when the deployment is looked at. */
  looked?(plane: ScriptedPlane): void;
  /** Called once the deployment is followed. */
  followed?(plane: ScriptedPlane): void;
};

const fresh: Deployment = {
  id,
  project: 'my-app',
  region: 'local',
  target: 'live',
  status: 'building',
  reason: null,
  error: null,
  phase: 'build',
  phases: [{ phase: 'build', startedAt: '2026-01-01T00:00:00.000Z', durationMs: 1200 }],
  detections: [],
  warnings: [],
  source: { kind: 'upload', digest: '0'.repeat(64) },
  attempt: 1,
  url: 'http://my-app.example.com/',
  address: 'http://my-app.example.com/',
  live: false,
  liveOn: [],
  figures: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  startedAt: '2026-01-01T00:00:00.000Z',
  finishedAt: null,
};

/** A deployment that has gone well. */
export const wentWell: Partial<Deployment> = {
  status: 'ready',
  live: true,
  liveOn: ['live'],
  figures: { files: 12, bytes: 340_000, changed: 3, removed: 0, uploaded: 3, uploadedBytes: 45_000 },
};

export async function openScriptedPlane(script: Script = {}): Promise<ScriptedPlane> {
  let deployment = { ...fresh };
  let createdWith: CreateDeployment | undefined;
  let log = '';
  let last = 0;
  const requests: string[] = [];
  const http = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const name = `${request.method} ${request.url}`;
    if (name.includes('/v1/socket')) {
      if (script.noLog) response.writeHead(502).end();
      return;
    }
    requests.push(name);
    const [status, answer] = route(name, request.headers.authorization, body);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  const route = (name: string, authorization: string | undefined, body: string): [number, unknown] => {
    if (authorization !== `Bearer ${token}`)
      return [401, { error: { code: 'NOT_SIGNED_IN', message: 'no token' } }];
    if (name === 'GET /v1/projects') return [200, { projects: [{ slug: deployment.project }] }];
    if (name === `GET /v1/projects/${deployment.project}`) return [200, { slug: deployment.project }];
    if (name === 'GET /v1/regions' && script.regions) return [200, { regions: script.regions }];
    if (name === 'POST /v1/sources') return [200, { digest: JSON.parse(body).digest }];
    if (name === 'POST /v1/deployments') {
      createdWith = JSON.parse(body) as CreateDeployment;
      if (script.refuse) return [script.refuse.status, { error: script.refuse.error }];
      return [201, { outcome: script.outcome ?? 'created', deployment }];
    }
    if (name.startsWith('GET /v1/deployments?') && script.refuseList)
      return [script.refuseList.status, { error: script.refuseList.error }];
    if (name === `GET /v1/deployments/${id}`) {
      script.looked?.(plane);
      return [200, deployment];
    }
    if (name === `POST /v1/deployments/${id}/cancel`) {
      if (script.refuseCancel) return [script.refuseCancel.status, { error: script.refuseCancel.error }];
      plane.end({ status: 'cancelled', reason: 'user' });
      return [200, deployment];
    }
    return [404, { error: { code: 'NOT_FOUND', message: `nothing at ${name}` } }];
  };
  const io = new Server<ClientEvents, PlaneEvents>({ path: followPath, transports: ['websocket'] });
  if (!script.noLog) io.attach(http);
  const send = (lines: string, first: number) => {
    for (const socket of io.sockets.sockets.values())
      socket.emit('batch', id, { first, last, lines }, () => {});
  };
  io.on('connection', (socket) => {
    socket.on('follow', (_request, answer) => {
      answer({ ok: true });
      if (last > 0) send(log, 1);
      script.followed?.(plane);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    http.closeAllConnections();
    if (script.noLog) http.close();
    else await io.close();
  });
  const { port } = http.address() as AddressInfo;

  const plane: ScriptedPlane = {
    environment: { SPHERE_URL: `http://127.0.0.1:${port}`, SPHERE_TOKEN: token },
    requests,
    created: () => createdWith,
    print(...lines) {
      const first = last + 1;
      const text = lines.map((line) => encodeLine(++last, line)).join('');
      log += text;
      send(text, first);
    },
    end(end) {
      deployment = { ...deployment, phase: null, finishedAt: '2026-01-01T00:00:05.000Z', ...end };
      io.emit('end', id, last);
    },
  };
  return plane;
}
