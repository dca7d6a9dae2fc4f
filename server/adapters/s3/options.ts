/** What the S3 adapters are made with: plain values, read from the environment elsewhere. */
import type { S3ClientConfig } from '@aws-sdk/client-s3';

/** How the bucket of a site is named after its slug. */
export type BucketNaming =
  /** The slug itself. The name is shared with everybody in the world, so a slug lives in one region. */
  | { kind: 'slug' }
  | { kind: 'prefix'; prefix: string }
  /** `<prefix>-<slug>-<account>-<region>-an`: names that no other account can ever take (T5). */
  | { kind: 'account-regional'; prefix: string };

/** Where a store that speaks S3 differs from AWS. Each setting says what is known to need it. */
export type S3Compatible = {
  /** The address of its API, such as `https://s3.example.com`. */
  endpoint: string;
  /** Buckets are paths of the endpoint, not host names. */
  forcePathStyle: boolean;
  /** The address of a website, with `{bucket}` and perhaps `{region}`: `http://{bucket}.web.localhost:8000`. */
  website: string;
  /**
   * The header by which the store itself checks what is uploaded to a signed URL. Ceph's radosgw before version 18
   * ignores checksums, but refuses content that is not what `x-amz-content-sha256` says. Default: `x-amz-checksum-sha256`.
   */
  contentCheck?: 'x-amz-checksum-sha256' | 'x-amz-content-sha256';
  /** CreateBucket takes tags. Default: false (radosgw refuses them); the tags are then put right afterwards. */
  tagsAtCreation?: boolean;
  /**
   * The region in signatures, whatever region a site is in. The SDK also names it as LocationConstraint when it creates
   * a bucket, unless it is `us-east-1`. Default: `us-east-1` (radosgw takes any signature, but knows no other places).
   */
  signingRegion?: string;
  /**
   * Public ACLs are refused on buckets of sites. Default: false (with it radosgw refuses every upload that has no ACL).
   */
  blockPublicAcls?: boolean;
};

export type S3Options = {
  /** Where sites may be kept. The first is the default, and holds sources and logs. */
  regions: readonly string[];
  bucketNames: BucketNaming;
  /** The AWS account, in twelve digits: every request says that the bucket must belong to it. */
  accountId: string;
  /** The artifact bucket of a region is `<artifactPrefix>-<account>-<region>`. */
  artifactPrefix: string;
  /** Which plane this is: stands in the tags of its buckets. */
  planeId: string;
  /** Absent: AWS itself. */
  compatible?: S3Compatible;
  /** Default: the SDK's own chain (environment, role of the instance or task, …). */
  credentials?: NonNullable<S3ClientConfig['credentials']>;
  /** How long a fresh bucket may refuse what has just been allowed, in milliseconds (T3). Default: 60 s. */
  settlingMs?: number;
  /** The first wait before a request is tried again, in milliseconds; doubles each time. Default: 100. */
  backoffMs?: number;
  /** Told in a sentence of what went wrong and stopped nothing. */
  report(problem: string): void;
};
