/** `sphere server check`: the quotas of the account are enough for what is configured. */
import {
  GetAWSDefaultServiceQuotaCommand,
  GetServiceQuotaCommand,
  type ServiceQuotasClient,
} from '@aws-sdk/client-service-quotas';
import type { AwsConfig } from '../aws-config.ts';
import type { Check } from '../check.ts';
import { awsFailure } from './aws-failure.ts';

const spot = { code: 'L-36FBB829', name: 'Fargate Spot quota' };
const onDemand = { code: 'L-3032A538', name: 'Fargate On-Demand quota' };
const buckets = { code: 'L-DC2B2D3D', name: 'S3 bucket quota' };

type Capacity = AwsConfig['ecs']['capacity'];
const quotasOf: Record<Capacity, readonly (typeof spot)[]> = {
  spot: [spot],
  'on-demand': [onDemand],
  // After Spot has none left, all builds may be on the other.
  'spot-then-on-demand': [spot, onDemand],
};

/** Whether `maxBuilds` tasks of `vcpu` each may run at once. */
export async function checkFargateQuotas(
  client: ServiceQuotasClient,
  wanted: { capacity: Capacity; maxBuilds: number; vcpu: number; region: string },
): Promise<Check[]> {
  const { maxBuilds, vcpu, region } = wanted;
  const needed = maxBuilds * vcpu;
  const sum = `${maxBuilds} builds (SPHERE_MAX_BUILDS) of ${vcpu} vCPU need ${needed}`;
  return Promise.all(
    quotasOf[wanted.capacity].map(async ({ code, name }): Promise<Check> => {
      try {
        const has = await quotaOf(client, 'fargate', code);
        const ok = has >= needed;
        const seen = `${has} vCPU; ${sum}`;
        if (ok) return { name, ok, seen };
        const request = `aws service-quotas request-service-quota-increase --region ${region} --service-code fargate --quota-code ${code} --desired-value ${Math.ceil(needed)}`;
        const lower = Math.floor(has / vcpu);
        const instead = lower > 0 ? `, or set SPHERE_MAX_BUILDS=${lower}` : '';
        return { name, ok, seen, fix: `Run \`${request}\` and wait for the answer${instead}.` };
      } catch (error) {
        return awsFailure(name, error, 'servicequotas:GetServiceQuota');
      }
    }),
  );
}

/** How many buckets the account may have: `client` asks in the region that answers for all. */
export async function checkBucketQuota(client: ServiceQuotasClient, regions: number): Promise<Check[]> {
  try {
    const has = await quotaOf(client, 's3', buckets.code);
    // Nobody counts the buckets that are there: ListBuckets itself is refused above 10,000 (T14).
    const seen = `${has} buckets; each site takes one, and so does each region`;
    if (has > regions) return [{ name: buckets.name, ok: true, seen }];
    const fix =
      'Ask for more: `aws service-quotas request-service-quota-increase --region us-east-1 --service-code s3 --quota-code L-DC2B2D3D --desired-value 10000`.';
    return [{ name: buckets.name, ok: false, seen, fix }];
  } catch (error) {
    return [awsFailure(buckets.name, error, 'servicequotas:GetServiceQuota')];
  }
}

async function quotaOf(client: ServiceQuotasClient, service: string, code: string): Promise<number> {
  const input = { ServiceCode: service, QuotaCode: code };
  const { Quota } = await client.send(new GetServiceQuotaCommand(input)).catch((error) => {
    // A quota that was never changed may have no value of the account's own.
    if (error instanceof Error && error.name === 'NoSuchResourceException')
      return client.send(new GetAWSDefaultServiceQuotaCommand(input));
    throw error;
  });
  if (Quota?.Value === undefined) throw new Error(`the answer has no value for ${service} ${code}`);
  return Quota.Value;
}
