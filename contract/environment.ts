/** Every environment name that Sphere reads or sets: one closed table. Only `config.ts` files read the environment. */

/** Read by the CLI. */
export const cliEnvironment = {
  SPHERE_URL:
    'The control plane to use, such as https://sphere.example.com. Unset: that of `sphere login`, else the one on this machine.',
  SPHERE_TOKEN: 'The token for that control plane. Unset: that of `sphere login`.',
  SPHERE_HOME: "The embedded plane's data directory.",
  SPHERE_PROJECT: "The project's slug, like --slug.",
  SPHERE_REGION: 'The region, like --region.',
  SPHERE_REPOSITORY: 'The repository to deploy, like --repo.',
  SPHERE_REF: 'Its branch, tag or commit, like --ref.',
  SPHERE_INSTALL_COMMAND: 'The install command, like --install.',
  SPHERE_BUILD_COMMAND: 'The build command, like --build.',
  SPHERE_OUTPUT_DIRECTORY: 'The output directory, like --output.',
  SPHERE_ROOT_DIRECTORY: 'The root directory, like --root.',
  SPHERE_ISOLATION:
    'Whether builds here are kept from your files: `auto`, `always` or `never`, like --isolation.',
  SPHERE_GIT_TOKEN: 'A token for a private repository over https. It appears in no URL, log or process list.',
  SPHERE_ID_TOKEN:
    'In a job of GitLab, the ID token (under `id_tokens`, with the address of the plane as its `aud`) that stands in for SPHERE_TOKEN.',
  SPHERE_OUTPUT_FILE: 'A file that receives NDJSON events.',
} as const;

/** Read by `sphere server` on an embedded plane, beside SPHERE_HOME. */
export const serverEnvironment = {
  SPHERE_PORT: 'The port to listen on, like --port.',
  SPHERE_MAX_BUILDS: 'How many builds run at once.',
  SPHERE_MAX_LOG_BYTES: 'The most bytes of log kept per deployment (200 MB).',
} as const;

/**
 * Read by `sphere server` on a hosted plane, and by `sphere server check`. A plane is hosted when DATABASE_URL is set
 * together with a name that only hosted planes read.
 */
export const hostedEnvironment = {
  DATABASE_URL:
    'The PostgreSQL database (15 or newer), such as `postgres://sphere:PASSWORD@db.example.com:5432/sphere?sslmode=verify-full`.',
  SPHERE_DATABASE_CONNECTIONS: 'The most connections to the database per replica. Default: 10.',
  REDIS_URL:
    'The Redis server (7 or newer) that keeps the logs, such as `rediss://:PASSWORD@redis.example.com:6379`.',
  SPHERE_SITES: 'Where sites are kept: `s3`.',
  SPHERE_BUILDS: 'Where builds run: `ecs`.',
  SPHERE_PUBLIC_URL:
    'The address under which people and builders reach the plane, without a path, such as `https://sphere.example.com`.',
  SPHERE_LISTEN: 'The host and port to listen on, such as `0.0.0.0:3000`. Default: `127.0.0.1:3000`.',
  SPHERE_KEY:
    'The key of the plane, the same on every replica: 32 random bytes as hex or base64, as `openssl rand -hex 32` prints them.',
  SPHERE_KEY_FILE: 'A file that holds SPHERE_KEY and that not everybody on the machine can read.',
  SPHERE_KEY_PREVIOUS:
    'Another key that opens what it has sealed, while the key is changed (SECURITY.md). Nothing new is sealed with it.',
  SPHERE_KEY_PREVIOUS_FILE: 'A file that holds SPHERE_KEY_PREVIOUS.',
  SPHERE_ADMIN_TOKEN:
    'The token that makes accounts and their tokens, of at least 32 characters. Unset: made at the first start.',
  AWS_REGION: 'The home region of the plane: its tasks, and what is not public, such as `eu-central-1`.',
  SPHERE_REGIONS:
    'The regions where sites may be kept, separated by commas; the first is the default. Default: AWS_REGION.',
  SPHERE_ACCOUNT_ID: 'The AWS account, 12 digits. Buckets and credentials of another one are refused.',
  SPHERE_BUCKET_NAMES:
    'What the bucket of a site is called: `slug`; `prefix`, SPHERE_BUCKET_PREFIX and the slug; or `account-regional`, a name that no other account can take. Default: `slug`.',
  SPHERE_BUCKET_PREFIX:
    'The beginning of the names of buckets, such as `acme-` for `prefix` and `acme` for `account-regional`.',
  SPHERE_ARTIFACT_PREFIX:
    'The beginning of the names of the private buckets, one per region. Default: `sphere-artifacts`.',
  SPHERE_ECS_CLUSTER: 'The ECS cluster where builds run, by name or ARN.',
  SPHERE_ECS_TASK_DEFINITION: 'The task definition of the builder: `FAMILY`, `FAMILY:REVISION` or an ARN.',
  SPHERE_ECS_CONTAINER: "The name of the builder's container in the task definition. Default: `builder`.",
  SPHERE_ECS_SUBNETS:
    'The subnets of build tasks, separated by commas, best in two availability zones or more, such as `subnet-0a1b2c3d,subnet-4e5f6071`.',
  SPHERE_ECS_SECURITY_GROUPS:
    'The security groups of build tasks, separated by commas, such as `sg-0a1b2c3d`.',
  SPHERE_ECS_ASSIGN_PUBLIC_IP:
    'Whether build tasks get a public address, which public subnets need: `true` or `false`. Default: `true`.',
  SPHERE_ECS_CAPACITY:
    'What build tasks run on: `spot`, `on-demand`, or `spot-then-on-demand`. Default: `spot-then-on-demand`.',
  SPHERE_MAX_BUILDS: 'How many builds run at once. Default: 20.',
  SPHERE_MAX_BUILDS_PER_ACCOUNT: 'How many of them may belong to one account. Default: all.',
  SPHERE_MAX_PROJECTS_PER_ACCOUNT:
    'How many projects one account may have, with those that were removed: each keeps a bucket. Default: 500.',
  SPHERE_MAX_PREVIEWS_PER_PROJECT: 'How many previews one project may have at a time. Default: 50.',
  SPHERE_BUILD_MINUTES: 'How long a deployment may be built. Default: 45.',
  SPHERE_START_MINUTES: 'How long a build task may take to start. Default: 10.',
  SPHERE_LEASE_SECONDS: 'After how many seconds of silence another replica takes over. Default: 30.',
  SPHERE_MAX_LOG_BYTES: 'The most bytes of log kept per deployment. Default: 200 MB.',
  SPHERE_TRUSTED_PROXIES:
    "The proxies whose word on a caller's address counts: addresses, networks such as `10.0.0.0/8`, or `loopback`, `linklocal`, `uniquelocal`, separated by commas. Default: `loopback`.",
  SPHERE_REQUESTS_PER_MINUTE: 'How often one token may ask, over all replicas. Default: 1200.',
  SPHERE_REFUSALS_PER_MINUTE:
    'How often one address may ask without a token that counts, over all replicas. Default: 60.',
  SPHERE_GIT_HOSTS:
    'The hosts of your own that repositories may be on, beside those of the public Internet: names or addresses, each with a port or without, separated by commas, such as `git.corp.example,10.0.0.5:8443`.',
  SPHERE_OIDC_ISSUERS:
    'Whose jobs can be trusted beside those of github.com and gitlab.com: `github=` or `gitlab=` and the issuer, separated by commas, such as `gitlab=https://gitlab.example.com,github=https://ghe.example.com/_services/token`.',
  SPHERE_S3_ENDPOINT:
    'For a store that is S3-compatible and not AWS: where it answers, such as `https://s3.example.com`.',
  SPHERE_S3_WEBSITE:
    'For such a store: the address of the website of a bucket, such as `http://{bucket}.web.example.com`; `{region}` may stand in it, too.',
  SPHERE_S3_CONTENT_CHECK:
    'For such a store: the header by which it checks uploads itself, `x-amz-checksum-sha256` (the default) or `x-amz-content-sha256` (Ceph before version 18).',
  SPHERE_ECS_ENDPOINT: 'Where ECS answers, when it is not that of AWS: for tests.',
} as const;

/** Set by a plane's build runner for the builder program. */
export const builderEnvironment = {
  SPHERE_PLANE_URL: 'Where the plane answers the builder.',
  SPHERE_DEPLOYMENT: 'The deployment to build.',
  SPHERE_ATTEMPT: 'The number of this attempt.',
  SPHERE_BOOTSTRAP_TOKEN: "A token that is spent on the builder's first request.",
  SPHERE_WORK_DIRECTORY: 'A directory for this attempt alone.',
  SPHERE_CACHE_DIRECTORY: 'A directory shared by the builds of this machine.',
  SPHERE_BUILD_USER:
    '`uid:gid` of the user as whom the commands of the source run, for a builder that runs as root.',
  SPHERE_PREBUILT_DIRECTORY: 'An output that is already built: publish it and build nothing.',
} as const;

/** Set inside builds, for the user's own commands. */
export const buildEnvironment = {
  CI: '`1`.',
  SPHERE: '`1`.',
  SPHERE_SITE_URL: 'The address under which the site will answer.',
  SPHERE_COMMIT: 'The commit that is built, where the source has one.',
  SPHERE_BRANCH: 'The branch that it was taken from, where known.',
  SPHERE_TARGET: '`live`, or the name of a preview.',
} as const;
