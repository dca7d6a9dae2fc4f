/** Every environment name that Sphere reads or sets: one closed table. Only `config.ts` files read the environment. */

/** Read by the CLI. */
export const cliEnvironment = {
  SPHERE_URL: 'The control plane to use, such as https://sphere.example.com. Unset: the embedded plane.',
  SPHERE_TOKEN: 'The token for that control plane.',
  SPHERE_HOME: "The embedded plane's data directory.",
  SPHERE_PROJECT: "The project's slug, like --slug.",
  SPHERE_REGION: 'The region, like --region.',
  SPHERE_REPOSITORY: 'The repository to deploy, like --repo.',
  SPHERE_REF: 'Its branch, tag or commit, like --ref.',
  SPHERE_INSTALL_COMMAND: 'The install command, like --install.',
  SPHERE_BUILD_COMMAND: 'The build command, like --build.',
  SPHERE_OUTPUT_DIRECTORY: 'The output directory, like --output.',
  SPHERE_ROOT_DIRECTORY: 'The root directory, like --root.',
  SPHERE_GIT_TOKEN: 'A token for a private repository over https. It appears in no URL, log or process list.',
  SPHERE_OUTPUT_FILE: 'A file that receives NDJSON events.',
} as const;

/** Read by `sphere server` on an embedded plane, beside SPHERE_HOME. */
export const serverEnvironment = {
  SPHERE_PORT: 'The port to listen on, like --port.',
  SPHERE_MAX_BUILDS: 'How many builds run at once.',
  SPHERE_MAX_LOG_BYTES: 'The most bytes of log kept per deployment (200 MB).',
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
