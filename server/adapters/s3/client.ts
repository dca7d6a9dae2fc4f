/** One S3 client per region, and the one way in which requests are sent: tried again by our own rule, stopped by a signal. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { SphereError } from '../../../contract/errors.ts';
import type { S3Options } from './options.ts';
import { regionFacts } from './region-table.ts';
import { nameOf, retrying, statusOf } from './retry.ts';

/** Requests of one publication that are in flight at once. */
export const concurrency = 64;

/** What is handed to `S3Client.send` beside the command. */
type SendOptions = { abortSignal?: AbortSignal };

export type S3 = {
  options: S3Options;
  /** Goes into every request: S3 answers 403 when the bucket is another account's. */
  owner: { ExpectedBucketOwner: string };
  client(region: string): S3Client;
  /** Sends one request to `region`, again while its failures are passing. */
  call<T>(
    region: string,
    send: (client: S3Client, options: SendOptions) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>;
};

/** Opens nothing yet: connections are made by the first requests. */
export function createS3(options: S3Options): S3 {
  const clients = new Map<string, S3Client>();
  const client = (region: string): S3Client => {
    const made = clients.get(region) ?? new S3Client(clientConfiguration(options, region));
    clients.set(region, made);
    return made;
  };
  return {
    options,
    owner: { ExpectedBucketOwner: options.accountId },
    client,
    async call(region, send, signal) {
      const sendOptions = signal ? { abortSignal: signal } : {};
      const backoffMs = options.backoffMs ?? 100;
      try {
        return await retrying(() => send(client(region), sendOptions), { backoffMs, signal });
      } catch (error) {
        throw signInProblem(error) ?? named(error);
      }
    },
  };
}

/** The region that requests to `region` are signed for. */
export function signingRegion({ compatible }: Pick<S3Options, 'compatible'>, region: string): string {
  return compatible ? (compatible.signingRegion ?? 'us-east-1') : region;
}

function clientConfiguration(options: S3Options, region: string): S3ClientConfig {
  const agent = { keepAlive: true, maxSockets: concurrency * 2 };
  const { compatible } = options;
  return {
    region: signingRegion(options, region),
    // Ours: the SDK's stops after three tries, and draws on one budget for all requests of the client.
    maxAttempts: 1,
    // By default uploads are streamed with a checksum at their end, which stores other than AWS answer with 411.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 10_000,
      requestTimeout: 60_000,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
      // Waiting for a socket is meant: there are as many as requests of two publications.
      socketAcquisitionWarningTimeout: 600_000,
    },
    ...(options.credentials ? { credentials: options.credentials } : {}),
    ...(compatible
      ? { endpoint: compatible.endpoint, forcePathStyle: compatible.forcePathStyle }
      : { endpoint: `https://${regionFacts(region).apiHost}` }),
  };
}

const credentialProblems: Record<string, string> = {
  CredentialsProviderError: 'no AWS credentials were found',
  ExpiredToken: 'the AWS credentials have expired',
  ExpiredTokenException: 'the AWS credentials have expired',
  InvalidAccessKeyId: 'S3 does not know the access key',
  SignatureDoesNotMatch: 'S3 does not accept the signature: the secret key is not the one of this access key',
};

/** The SDK's error of an answer without a message says `UnknownError`: it gets what was answered. */
function named(error: unknown): unknown {
  if (error instanceof Error && error.message === 'UnknownError') {
    error.message = `S3 answered ${statusOf(error) ?? ''} ${nameOf(error)}`;
  }
  return error;
}

/** A failure to sign in, as something that whoever runs the plane can act on. */
function signInProblem(error: unknown): SphereError | null {
  const problem = credentialProblems[nameOf(error)];
  if (problem === undefined) return null;
  return new SphereError('INFRASTRUCTURE', `The plane cannot use S3: ${problem}.`, {
    hint: 'Give the plane a role or keys that S3 accepts, then try again.',
    cause: error,
  });
}
