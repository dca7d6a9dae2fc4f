/**
 * What AWS answers to the calls of `sphere server check`, over HTTP and in AWS's own formats, for the unmodified SDK: STS
 * (query), S3 Control (REST and XML), Service Quotas, ECR and ECS (JSON with a target). It runs nothing and keeps nothing.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Set to what the account is to look like. */
export type AwsAccount = {
  id: string;
  /** Calls that the caller may not make: `ecr:BatchGetImage`. */
  denied: string[];
  publicAccessBlock: Record<string, boolean> | null;
  /** Values by quota code: the account's own, and AWS's. */
  quotas: Record<string, number>;
  defaultQuotas: Record<string, number>;
  /** Manifests by repository and by tag or digest: `sphere-builder:latest`, `sphere-builder@sha256:…`. */
  images: Record<string, object>;
  /** The content of blobs by digest. */
  blobs: Record<string, object>;
  /** By name. */
  clusters: Record<string, object>;
  /** By family. */
  taskDefinitions: Record<string, object>;
};

export type AwsPeer = AwsAccount & {
  url: string;
  port: number;
  /** Every call so far, as `service:Action`. */
  calls: string[];
  /** Adds an image for each architecture, with an index when there are several. */
  addImage(name: string, labels: Record<string, string> | null, ...architectures: string[]): void;
  stop(): Promise<void>;
};

type Reply = { status: number; body: string; headers?: OutgoingHttpHeaders };

export async function startAws(): Promise<AwsPeer> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { status, body: text, headers } = answer(peer, request, body);
    response.writeHead(status, headers).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const peer: AwsPeer = {
    id: '123456789012',
    denied: [],
    publicAccessBlock: null,
    quotas: {},
    defaultQuotas: {},
    images: {},
    blobs: {},
    clusters: {},
    taskDefinitions: {},
    url: `http://127.0.0.1:${port}`,
    port,
    calls: [],
    addImage(name, labels, ...architectures) {
      const [repository = ''] = name.split(':');
      const manifests = architectures.map((architecture) => {
        const config = { architecture, os: 'linux', config: { Labels: labels } };
        const manifest = { schemaVersion: 2, config: { digest: digestOf(config) }, layers: [] };
        peer.blobs[digestOf(config)] = config;
        peer.images[`${repository}@${digestOf(manifest)}`] = manifest;
        return { digest: digestOf(manifest), platform: { architecture, os: 'linux' } };
      });
      const only = peer.images[`${repository}@${manifests[0]?.digest}`] ?? {};
      peer.images[name] = manifests.length === 1 ? only : { schemaVersion: 2, manifests };
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return peer;
}

const digestOf = (content: object) =>
  `sha256:${createHash('sha256').update(JSON.stringify(content)).digest('hex')}`;

function answer(peer: AwsPeer, request: IncomingMessage, body: string): Reply {
  const { pathname } = new URL(request.url ?? '/', peer.url);
  // What ECR hands out is signed in the URL, and asked for without credentials.
  if (pathname.startsWith('/blobs/')) return json(200, peer.blobs[pathname.slice('/blobs/'.length)] ?? {});
  // The service for which the request was signed.
  const service = /Credential=[^/]+\/\d{8}\/[a-z0-9-]+\/([a-z0-9-]+)\/aws4_request/.exec(
    request.headers.authorization ?? '',
  )?.[1];
  const target = String(request.headers['x-amz-target'] ?? '').split('.')[1];
  const action = target ?? new URLSearchParams(body).get('Action') ?? 'GetPublicAccessBlock';
  const call = `${service}:${action}`;
  peer.calls.push(call);
  if (service === 'sts') return sts(peer, call);
  if (service === 's3') return publicAccessBlock(peer, call, request, pathname);
  if (target === undefined || service === undefined)
    return json(403, { __type: 'MissingAuthenticationToken' });
  if (peer.denied.includes(call))
    return json(400, { __type: 'AccessDeniedException', message: `not authorized to perform: ${call}` });
  return (
    jsonAnswers[call]?.(peer, JSON.parse(body) as never) ?? json(400, { __type: 'UnknownOperationException' })
  );
}

const json = (status: number, body: object): Reply => ({
  status,
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/x-amz-json-1.1' },
});
const xml = (status: number, body: string): Reply => ({
  status,
  body,
  headers: { 'content-type': 'text/xml' },
});

function sts({ id, denied }: AwsPeer, call: string): Reply {
  if (denied.includes(call)) {
    const error =
      '<Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The token is invalid.</Message>';
    return xml(403, `<ErrorResponse><Error>${error}</Error><RequestId>1</RequestId></ErrorResponse>`);
  }
  const result = `<Arn>arn:aws:sts::${id}:assumed-role/sphere/i-1</Arn><UserId>A:i-1</UserId><Account>${id}</Account>`;
  return xml(
    200,
    `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>${result}</GetCallerIdentityResult></GetCallerIdentityResponse>`,
  );
}

function publicAccessBlock(peer: AwsPeer, call: string, request: IncomingMessage, path: string): Reply {
  const error = (status: number, code: string) =>
    xml(
      status,
      `<ErrorResponse><Error><Code>${code}</Code><Message>${code}</Message></Error></ErrorResponse>`,
    );
  if (path !== '/v20180820/configuration/publicAccessBlock') return error(400, 'InvalidRequest');
  // The account is named twice, in a header and in the host.
  const { host, 'x-amz-account-id': account } = request.headers;
  if (account !== peer.id || !host?.startsWith(`${peer.id}.`) || peer.denied.includes(call))
    return error(403, 'AccessDenied');
  if (peer.publicAccessBlock === null) return error(404, 'NoSuchPublicAccessBlockConfiguration');
  const flags = Object.entries(peer.publicAccessBlock).map(([name, value]) => `<${name}>${value}</${name}>`);
  return xml(200, `<PublicAccessBlockConfiguration>${flags.join('')}</PublicAccessBlockConfiguration>`);
}

type Quota = { ServiceCode: string; QuotaCode: string };
type ImageId = { imageTag?: string; imageDigest?: string };
type Images = { repositoryName: string; imageIds: ImageId[]; registryId: string };

const quota = (values: Record<string, number>, { ServiceCode, QuotaCode }: Quota) =>
  values[QuotaCode] === undefined
    ? json(400, {
        __type: 'NoSuchResourceException',
        Message: 'The request failed because the quota does not exist',
      })
    : json(200, { Quota: { ServiceCode, QuotaCode, Value: values[QuotaCode] } });

const jsonAnswers: Record<string, (peer: AwsPeer, input: never) => Reply> = {
  'servicequotas:GetServiceQuota': (peer, input: Quota) => quota(peer.quotas, input),
  'servicequotas:GetAWSDefaultServiceQuota': (peer, input: Quota) => quota(peer.defaultQuotas, input),
  'ecr:BatchGetImage': (peer, { repositoryName, imageIds }: Images) => {
    if (!Object.keys(peer.images).some((name) => name.split(/[:@]/)[0] === repositoryName)) {
      const message = `The repository with name '${repositoryName}' does not exist`;
      return json(400, { __type: 'RepositoryNotFoundException', message });
    }
    const found = imageIds.map((imageId) => {
      const at = imageId.imageDigest === undefined ? `:${imageId.imageTag}` : `@${imageId.imageDigest}`;
      return { imageId, manifest: peer.images[`${repositoryName}${at}`] };
    });
    const missing = { failureCode: 'ImageNotFound', failureReason: 'Requested image not found' };
    return json(200, {
      images: found.flatMap(({ imageId, manifest }) =>
        manifest ? [{ repositoryName, imageId, imageManifest: JSON.stringify(manifest) }] : [],
      ),
      failures: found.flatMap(({ imageId, manifest }) => (manifest ? [] : [{ imageId, ...missing }])),
    });
  },
  'ecr:GetDownloadUrlForLayer': (peer, { layerDigest }: { layerDigest: string }) =>
    json(200, { downloadUrl: `${peer.url}/blobs/${layerDigest}`, layerDigest }),
  'ecs:DescribeClusters': (peer, { clusters }: { clusters: string[] }) =>
    json(200, {
      clusters: clusters.flatMap((name) => peer.clusters[name] ?? []),
      failures: clusters.flatMap((arn) => (peer.clusters[arn] ? [] : [{ arn, reason: 'MISSING' }])),
    }),
  'ecs:DescribeTaskDefinition': (peer, { taskDefinition }: { taskDefinition: string }) => {
    const found = peer.taskDefinitions[taskDefinition];
    if (found) return json(200, { taskDefinition: found });
    return json(400, { __type: 'ClientException', message: 'Unable to describe task definition.' });
  },
};
