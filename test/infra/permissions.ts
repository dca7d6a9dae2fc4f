/** Which permissions each request to AWS needs, from the service authorization reference. */

/** Requests of the plane by the name of the SDK's command. */
export const permissionsOf: Record<string, readonly string[]> = {
  // Tags at the start are a permission of their own, and so is handing the execution role on.
  RunTask: ['ecs:RunTask', 'ecs:TagResource', 'iam:PassRole'],
  StopTask: ['ecs:StopTask'],
  DescribeTasks: ['ecs:DescribeTasks'],
  ListTasks: ['ecs:ListTasks'],
  DescribeClusters: ['ecs:DescribeClusters'],
  DescribeTaskDefinition: ['ecs:DescribeTaskDefinition'],

  CreateBucket: ['s3:CreateBucket', 's3:TagResource'],
  GetBucketTagging: ['s3:GetBucketTagging'],
  PutBucketTagging: ['s3:PutBucketTagging'],
  DeleteBucket: ['s3:DeleteBucket'],
  PutPublicAccessBlock: ['s3:PutBucketPublicAccessBlock'],
  PutBucketPolicy: ['s3:PutBucketPolicy'],
  PutBucketWebsite: ['s3:PutBucketWebsite'],
  GetBucketLifecycleConfiguration: ['s3:GetLifecycleConfiguration'],
  PutBucketLifecycleConfiguration: ['s3:PutLifecycleConfiguration'],
  // With ListBucket a missing object is 404, without it 403.
  ListObjectsV2: ['s3:ListBucket'],
  HeadObject: ['s3:GetObject', 's3:ListBucket'],
  GetObject: ['s3:GetObject', 's3:ListBucket'],
  PutObject: ['s3:PutObject'],
  CopyObject: ['s3:GetObject', 's3:PutObject'],
  DeleteObjects: ['s3:DeleteObject'],

  // `sphere server check`. GetPublicAccessBlock is S3 Control's, of the whole account.
  GetPublicAccessBlock: ['s3:GetAccountPublicAccessBlock'],
  GetCallerIdentity: [],
  BatchGetImage: ['ecr:BatchGetImage'],
  GetDownloadUrlForLayer: ['ecr:GetDownloadUrlForLayer'],
  GetServiceQuota: ['servicequotas:GetServiceQuota'],
  GetAWSDefaultServiceQuota: ['servicequotas:GetAWSDefaultServiceQuota'],
};

/** Actions that AWS knows without a resource, or with one that is not known before, and why. */
export const withoutResource: Record<string, string> = {
  'ecr:GetAuthorizationToken': 'signs in to the registry of the account, not to a repository',
  'ecs:DescribeTaskDefinition': 'supports no resource-level permission',
  'ecs:ListTasks': 'is restricted by the condition ecs:cluster',
  's3:GetAccountPublicAccessBlock': 'is of the whole account',
  'servicequotas:GetServiceQuota': 'supports no resource-level permission',
  'servicequotas:GetAWSDefaultServiceQuota': 'supports no resource-level permission',
};
