/**
 * The nouns of Sphere and its closed lists, defined once.
 *
 * account      a team with named tokens
 * project      a slug and a region, owned by one account
 * target       what a project serves under one address: `live`, or a preview's name
 * source       a Git repository at a commit, an uploaded directory, or an output that is already built
 * deployment   one request to build a source and publish it to a target
 * attempt      one try at building a deployment
 * phase        a part of a deployment's work
 * seq          a log line's number in its deployment's log: 1, 2, 3 …
 * blob         file content named by its SHA-256
 * manifest     paths -> blobs, with what is needed to serve them
 * publication  one change of what a target serves
 * live         what the store serves now: a pointer, not a status
 * region       where a project's bucket is; embedded planes have one, `local`
 */

/** The target that `sphere deploy` publishes to. */
export const LIVE = 'live';

/** The only region of an embedded plane. */
export const LOCAL_REGION = 'local';

export const deploymentStatuses = ['queued', 'building', 'ready', 'error', 'cancelled'] as const;
/** Where a deployment stands. `ready` means that it has been live. */
export type DeploymentStatus = (typeof deploymentStatuses)[number];

/** Whether nothing follows `status`. */
export function isEnded(status: DeploymentStatus): boolean {
  return status === 'ready' || status === 'error' || status === 'cancelled';
}

export const phases = ['queue', 'prepare', 'clone', 'install', 'build', 'upload', 'publish'] as const;
/** A part of a deployment's work, in the order in which they happen. */
export type Phase = (typeof phases)[number];

export const logStreams = ['stdout', 'stderr', 'sphere'] as const;
/** Where a log line came from: the command's two streams, or Sphere itself. */
export type LogStream = (typeof logStreams)[number];

export const endReasons = [
  'user',
  'superseded',
  'outrun',
  'ignored',
  'build_failed',
  'out_of_memory',
  'timeout',
  'silent',
  'source_unavailable',
  'configuration_invalid',
  'not_static',
  'output_invalid',
  'publish_failed',
  'infrastructure',
] as const;
/** Why a deployment ended as it did. Deployments that became live have none. */
export type EndReason = (typeof endReasons)[number];

export const publicationKinds = ['deploy', 'rollback', 'promote'] as const;
/** What asked for a publication. */
export type PublicationKind = (typeof publicationKinds)[number];

export const publicationStates = ['waiting', 'running', 'done', 'outrun', 'cancelled', 'failed'] as const;
/** Where a publication stands. At most one per project and target is `running`. */
export type PublicationState = (typeof publicationStates)[number];

export const scopes = ['read', 'deploy', 'admin'] as const;
/** What a token of an account may do, each with what comes before it: look; deploy; remove, and make tokens. */
export type Scope = (typeof scopes)[number];

/**
 * A slug names a project and is a DNS label, because sites are told apart by host name:
 * 3 to 63 characters (S3's bucket rule, so that a project can move to a hosted plane), `a-z`, `0-9` and
 * single inner hyphens (`--` separates a slug from a preview's name).
 */
export const slugPattern = /^(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** Slugs that would shadow the plane's own host names. */
export const reservedSlugs: readonly string[] = ['www', 'api', 'admin', 'localhost', 'sphere'];

/** Names under which people expect whoever runs the plane, its mail or its sign-in, and not a site of somebody else. */
const officialNames = [
  ...reservedSlugs,
  ...['account', 'accounts', 'auth', 'billing', 'console', 'dns', 'ftp', 'imap', 'internal', 'login', 'mail'],
  ...['oauth', 'oidc', 'root', 'security', 'signin', 'smtp', 'sso', 'status', 'support', 'system', 'vpn'],
  ...['webmail', 'wpad', 'autodiscover', 'autoconfig'],
];

/** What S3 keeps for itself at the beginning and the end of bucket names (T6); a site's bucket is called as its slug. */
const notForBuckets = /^(xn-|sthree-|amzn-s3-demo-)|-s3alias$/;

/** What a text looks like at a glance: letters and digits that are taken for one another are the same. */
const glance = (text: string) =>
  text
    .replaceAll('-', '')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replaceAll('cl', 'd')
    .replace(
      /[013457i]/g,
      (letter) => ({ 0: 'o', 1: 'l', 3: 'e', 4: 'a', 5: 's', 7: 't', i: 'l' })[letter] ?? letter,
    );

const officialAtAGlance = new Map(officialNames.map((name) => [glance(name), name]));

/**
 * Why no new project of a hosted plane may be called `slug`, or null. Those that are there keep their names. A slug holds
 * neither letters beyond `a-z` nor `--`, so that no punycode (`xn--…`) can stand in it.
 */
export function slugRefusal(slug: string): string | null {
  const official = officialAtAGlance.get(glance(slug));
  if (official === slug) return `"${slug}" is reserved`;
  if (official !== undefined) return `"${slug}" looks like "${official}", which is reserved`;
  return notForBuckets.test(slug) ? `"${slug}" cannot be the name of a bucket` : null;
}

/** An account's name stands in addresses and in command lines: 1 to 63 of `a-z`, `0-9` and single inner hyphens. */
export const accountNamePattern = /^(?=.{1,63}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** Whether an embedded plane isolates a build's commands from the user's files: where it can, always, or never. */
export const isolationModes = ['auto', 'always', 'never'] as const;
export type IsolationMode = (typeof isolationModes)[number];
