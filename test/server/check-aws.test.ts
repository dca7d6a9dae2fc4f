/** `sphere server check` of AWS: the unmodified SDK against AWS's own formats over HTTP. */
import { Agent } from 'node:http';
import { ECRClient } from '@aws-sdk/client-ecr';
import { S3ControlClient } from '@aws-sdk/client-s3-control';
import { ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { STSClient } from '@aws-sdk/client-sts';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { builderContractVersion } from '../../contract/version.ts';
import { checkIdentity } from '../../server/checks/aws-identity.ts';
import { checkBuilderImage } from '../../server/checks/builder-image.ts';
import { checkPublicAccess } from '../../server/checks/public-access.ts';
import { checkBucketQuota, checkFargateQuotas } from '../../server/checks/quotas.ts';
import { type AwsPeer, startAws } from '../peers/aws-answers.ts';

let aws: AwsPeer;
beforeEach(async () => {
  aws = await startAws();
  onTestFinished(() => aws.stop());
});

const region = 'eu-central-1';
/** For clients: no credentials of this machine, no waiting between tries. */
const clientOptions = () => ({
  region,
  endpoint: aws.url,
  maxAttempts: 1,
  credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' },
});

describe('AWS identity', () => {
  const look = async (account = aws.id) => (await checkIdentity(new STSClient(clientOptions()), account))[0];

  test('of the configured account passes', async () => {
    expect(await look()).toMatchObject({
      ok: true,
      seen: 'arn:aws:sts::123456789012:assumed-role/sphere/i-1',
    });
  });

  test('of another account fails', async () => {
    expect(await look('999999999999')).toMatchObject({
      ok: false,
      seen: expect.stringMatching(/of account 123456789012; SPHERE_ACCOUNT_ID is 999999999999/),
      fix: expect.stringMatching(/SPHERE_ACCOUNT_ID=123456789012/),
    });
  });

  test('that AWS does not take fails', async () => {
    aws.denied.push('sts:GetCallerIdentity');
    expect(await look()).toMatchObject({
      ok: false,
      seen: expect.stringContaining('InvalidClientTokenId'),
      fix: expect.stringContaining('Renew the credentials'),
    });
  });

  test('without credentials fails with where they come from', async () => {
    const credentials = () =>
      Promise.reject(Object.assign(new Error('none found'), { name: 'CredentialsProviderError' }));
    const [check] = await checkIdentity(new STSClient({ ...clientOptions(), credentials }), aws.id);
    expect(check).toMatchObject({ ok: false, fix: expect.stringContaining('Give this machine a role') });
  });
});

describe('T2: the public access block of the account', () => {
  // The SDK puts the account in front of the host, and Node resolves no `*.localhost`.
  const httpAgent = new Agent({
    lookup: (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
  });
  const look = async () => {
    const endpoint = `http://localhost:${aws.port}`;
    const client = new S3ControlClient({ ...clientOptions(), endpoint, requestHandler: { httpAgent } });
    return (await checkPublicAccess(client, aws.id))[0];
  };

  test("that is not there is in nobody's way", async () => {
    expect(await look()).toEqual({ name: 'public access block', ok: true, seen: 'the account has none' });
  });

  test("that blocks ACLs only is in nobody's way", async () => {
    aws.publicAccessBlock = { BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: false };
    expect(await look()).toMatchObject({ ok: true });
  });

  test.each(['BlockPublicPolicy', 'RestrictPublicBuckets'])(
    'with %s fails with the command that changes it',
    async (flag) => {
      aws.publicAccessBlock = { BlockPublicAcls: true, IgnorePublicAcls: false, [flag]: true };
      expect(await look()).toMatchObject({
        ok: false,
        seen: expect.stringContaining(`has ${flag}: no site can be public`),
        fix: expect.stringContaining(
          '`aws s3control put-public-access-block --account-id 123456789012 --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=false,BlockPublicPolicy=false,RestrictPublicBuckets=false`',
        ),
      });
    },
  );

  test('that may not be looked at fails with the right that is missing', async () => {
    aws.denied.push('s3:GetPublicAccessBlock');
    expect(await look()).toMatchObject({
      ok: false,
      fix: expect.stringContaining('Allow s3:GetAccountPublicAccessBlock'),
    });
  });
});

describe('quotas', () => {
  const [spot, onDemand, buckets] = ['L-36FBB829', 'L-3032A538', 'L-DC2B2D3D'];
  const client = () => new ServiceQuotasClient(clientOptions());
  const look = (capacity: 'spot' | 'on-demand' | 'spot-then-on-demand') =>
    checkFargateQuotas(client(), { capacity, maxBuilds: 20, vcpu: 2, region });

  test('that are enough pass, the default where the account has no own', async () => {
    aws.quotas = { [spot]: 40 };
    aws.defaultQuotas = { [onDemand]: 4000 };
    expect(await look('spot-then-on-demand')).toEqual([
      {
        name: 'Fargate Spot quota',
        ok: true,
        seen: '40 vCPU; 20 builds (SPHERE_MAX_BUILDS) of 2 vCPU need 40',
      },
      { name: 'Fargate On-Demand quota', ok: true, seen: expect.stringMatching(/^4000 vCPU/) },
    ]);
  });

  test('that are too small fail with the command that asks for more, and with what they allow', async () => {
    aws.quotas = { [spot]: 4000, [onDemand]: 6 };
    expect(await look('on-demand')).toEqual([
      {
        name: 'Fargate On-Demand quota',
        ok: false,
        seen: expect.stringMatching(/^6 vCPU; .* need 40$/),
        fix: expect.stringMatching(
          /request-service-quota-increase --region eu-central-1 --service-code fargate --quota-code L-3032A538 --desired-value 40`.*SPHERE_MAX_BUILDS=3\./,
        ),
      },
    ]);
    expect(await look('spot')).toMatchObject([{ ok: true }]);
  });

  test('that may not be read fail with the right that is missing', async () => {
    aws.denied.push('servicequotas:GetServiceQuota');
    expect(await look('spot')).toMatchObject([
      { ok: false, fix: expect.stringContaining('Allow servicequotas:GetServiceQuota') },
    ]);
  });

  test('T14: of buckets are shown, and no bucket is listed', async () => {
    aws.defaultQuotas = { [buckets]: 10_000 };
    expect(await checkBucketQuota(client(), 3)).toMatchObject([
      { ok: true, seen: expect.stringMatching(/^10000 buckets/) },
    ]);
    expect(aws.calls).toEqual(['servicequotas:GetServiceQuota', 'servicequotas:GetAWSDefaultServiceQuota']);
  });
});

describe('the image of the builder', () => {
  const registry = '123456789012.dkr.ecr.us-east-1.amazonaws.com';
  const label = (contract: number) => ({ 'sphere.contract': String(contract) });
  const asked: string[] = [];
  const look = async (image: string, architecture: 'amd64' | 'arm64' = 'amd64') => {
    const clientFor = (at: string) => asked.push(at) && new ECRClient({ ...clientOptions(), region: at });
    const [check] = await checkBuilderImage({ image, vcpu: 1, architecture }, clientFor as never);
    return check;
  };

  test.each([builderContractVersion, builderContractVersion - 1])(
    'with contract %i passes',
    async (contract) => {
      aws.addImage('sphere-builder:1', label(contract), 'amd64');
      expect(await look(`${registry}/sphere-builder:1`)).toMatchObject({ ok: true });
      expect(asked.at(-1)).toBe('us-east-1');
    },
  );

  test('is looked at for the processor of the task', async () => {
    aws.addImage('team/sphere-builder:latest', label(builderContractVersion), 'amd64', 'arm64');
    expect(await look(`${registry}/team/sphere-builder`, 'arm64')).toMatchObject({ ok: true });
    aws.addImage('sphere-builder:arm', label(builderContractVersion), 'arm64');
    expect(await look(`${registry}/sphere-builder:arm`)).toMatchObject({
      ok: false,
      seen: expect.stringContaining('it is for arm64, and the task definition runs it on amd64'),
    });
  });

  test('is found by digest', async () => {
    aws.addImage('sphere-builder:1', label(builderContractVersion), 'amd64');
    const digest = Object.keys(aws.images)
      .find((name) => name.includes('@'))
      ?.split('@')[1];
    expect(await look(`${registry}/sphere-builder:1@${digest}`)).toMatchObject({ ok: true });
  });

  test.each<[string, Record<string, string> | null, RegExp, RegExp]>([
    ['without a label', null, /no label sphere\.contract/, /Publish the builder image/],
    [
      'of a newer contract',
      label(builderContractVersion + 1),
      new RegExp(`contract ${builderContractVersion + 1}; this plane speaks ${builderContractVersion}`),
      /Upgrade the control plane/,
    ],
    ['of a contract that is none', { 'sphere.contract': 'x' }, /contract x/, /Publish the builder image/],
  ])('%s fails', async (_what, labels, seen, fix) => {
    aws.addImage('sphere-builder:1', labels, 'amd64');
    expect(await look(`${registry}/sphere-builder:1`)).toMatchObject({
      ok: false,
      seen: expect.stringMatching(seen),
      fix: expect.stringMatching(fix),
    });
  });

  test('that is not in its repository fails, and so does a repository that is not there', async () => {
    aws.addImage('sphere-builder:1', label(builderContractVersion), 'amd64');
    const missing = { ok: false, fix: expect.stringContaining('Publish the builder image') };
    expect(await look(`${registry}/sphere-builder:2`)).toMatchObject({
      ...missing,
      seen: expect.stringContaining('Requested image not found'),
    });
    expect(await look(`${registry}/other:1`)).toMatchObject({
      ...missing,
      seen: expect.stringContaining('no such repository'),
    });
  });

  test('T23: outside of ECR is not looked at, and said', async () => {
    expect(await look('docker.io/acme/builder:1')).toMatchObject({
      ok: true,
      fix: expect.stringContaining('limit how often'),
    });
    expect(aws.calls).toEqual([]);
  });

  test.each(['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'])('needs %s, and says so', async (action) => {
    aws.addImage('sphere-builder:1', label(builderContractVersion), 'amd64');
    aws.denied.push(action);
    expect(await look(`${registry}/sphere-builder:1`)).toMatchObject({
      ok: false,
      fix: expect.stringContaining(`Allow ${action} `),
    });
  });
});
