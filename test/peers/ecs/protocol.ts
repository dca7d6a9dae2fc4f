/** The protocol of the emulator: AWS's JSON 1.1 over HTTP, signed. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isOperation, type Operation } from './inputs.ts';
import { Refusal } from './refusal.ts';

/** Throws what AWS answers to a request that is not signed for ECS, or asks for what there is not. */
export function operationOf(request: IncomingMessage, region: string): Operation {
  const { authorization = '', 'x-amz-target': target = '', 'content-type': type = '' } = request.headers;
  const scope = `/\\d{8}/${region}/ecs/aws4_request`;
  const signed = new RegExp(
    `^AWS4-HMAC-SHA256 Credential=[A-Z0-9]+${scope}, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=[0-9a-f]{64}$`,
  );
  if (authorization === '')
    throw new Refusal('MissingAuthenticationTokenException', 'Missing Authentication Token');
  if (!signed.test(authorization) || !request.headers['x-amz-date'])
    throw new Refusal('IncompleteSignatureException', 'The signature is not one for ECS in this region.');
  const [service, name = ''] = String(target).split('.');
  if (request.method !== 'POST' || type !== 'application/x-amz-json-1.1')
    throw new Refusal('UnknownOperationException', 'Only POST of application/x-amz-json-1.1.', {}, 404);
  if (service !== 'AmazonEC2ContainerServiceV20141113' || !isOperation(name))
    throw new Refusal('UnknownOperationException', `The emulator has no ${target}.`);
  return name;
}

/** The body of a request. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  let body = '';
  for await (const chunk of request) body += chunk;
  try {
    return JSON.parse(body);
  } catch {
    throw new Refusal('SerializationException', 'The body is not JSON.');
  }
}

/** Answers as AWS's JSON 1.1 has it. */
export function send(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, {
      'content-type': 'application/x-amz-json-1.1',
      'x-amzn-requestid': randomBytes(16).toString('hex'),
    })
    .end(JSON.stringify(body));
}
