/** A valid environment of a hosted plane, for tests to change. */

/** The least that a hosted plane needs. Nothing in it is there. */
export const hostedTestEnvironment: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://sphere:pg-secret@db.example.com:5432/sphere',
  REDIS_URL: 'redis://:redis-secret@redis.example.com:6379',
  SPHERE_SITES: 's3',
  SPHERE_BUILDS: 'ecs',
  SPHERE_PUBLIC_URL: 'https://sphere.example.com',
  SPHERE_KEY: '0123456789abcdef'.repeat(4),
  AWS_REGION: 'eu-central-1',
  SPHERE_ACCOUNT_ID: '123456789012',
  SPHERE_ECS_CLUSTER: 'sphere',
  SPHERE_ECS_TASK_DEFINITION: 'sphere-builder',
  SPHERE_ECS_SUBNETS: 'subnet-0a1b2c3d,subnet-4e5f60718293a4b5c',
  SPHERE_ECS_SECURITY_GROUPS: 'sg-0a1b2c3d',
};
