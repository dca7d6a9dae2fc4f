/**
 * ID tokens: what GitHub and GitLab sign about a job that runs there (OpenID Connect). Which claims they hold is in
 * "OpenID Connect reference" of docs.github.com and "ID token payload" of docs.gitlab.com.
 */
import { createRemoteJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import type { TrustProvider } from '../contract/accounts-api.ts';
import { SphereError } from '../contract/errors.ts';

export type Issuer = {
  provider: TrustProvider;
  /** As the tokens name it. */
  url: string;
  /** Where its keys are; null: where its discovery document says. */
  keys: string | null;
};

/** The issuers of github.com and gitlab.com. */
export const knownIssuers: readonly Issuer[] = [
  {
    provider: 'github',
    url: 'https://token.actions.githubusercontent.com',
    keys: 'https://token.actions.githubusercontent.com/.well-known/jwks',
  },
  { provider: 'gitlab', url: 'https://gitlab.com', keys: 'https://gitlab.com/oauth/discovery/keys' },
];

/** A job, as its host has signed it. */
export type Job = {
  issuer: string;
  /** In lower case. */
  repository: string;
  /** The host's own id of it. */
  repositoryId: string;
  /** The full name of the branch or tag. */
  ref: string;
  environment: string | null;
  /** How the host names the job, such as `repo:acme/web:ref:refs/heads/main`. */
  subject: string;
  /** The id of the token: each is taken once. */
  tokenId: string;
  expiresAt: Date;
};

export type IdTokens = {
  issuers: readonly Issuer[];
  /** Throws `NOT_SIGNED_IN` for a token that is not what it says, `NOT_ALLOWED` for a job that nobody may trust. */
  verify(idToken: string): Promise<Job>;
};

/** Both hosts sign with it. Whatever else a token names, such as `none`, is refused before any key is looked at. */
const algorithms = ['RS256'];
const clockToleranceSeconds = 30;
const keyTimes = {
  /** Keys are asked for again after this time; they are rotated with weeks of overlap. */
  cacheMaxAge: 10 * 60_000,
  /** A token with an unknown key asks for the keys anew, but no more often than this. */
  cooldownDuration: 30_000,
  timeoutDuration: 5_000,
} as const;

/** Checks ID tokens that were made for `audience`, the plane's own address. */
export function createIdTokens({
  issuers,
  audience,
  cooldownMs = keyTimes.cooldownDuration,
}: {
  issuers: readonly Issuer[];
  audience: string;
  /** How often a token with an unknown key may ask for the keys anew. */
  cooldownMs?: number;
}): IdTokens {
  type Keys = ReturnType<typeof createRemoteJWKSet>;
  const found = new Map<string, Promise<Keys>>();
  const keysOf = (issuer: Issuer): Promise<Keys> => {
    const known = found.get(issuer.url);
    if (known) return known;
    const keys = keysUrl(issuer).then((url) =>
      createRemoteJWKSet(url, { ...keyTimes, cooldownDuration: cooldownMs }),
    );
    found.set(issuer.url, keys);
    keys.catch(() => found.delete(issuer.url));
    return keys;
  };
  return {
    issuers,
    async verify(idToken) {
      const issuer = issuerOf(idToken, issuers);
      const keys = await keysOf(issuer);
      const { payload } = await jwtVerify(idToken, keys, {
        issuer: issuer.url,
        audience,
        algorithms,
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp', 'nbf', 'iat', 'jti', 'sub', 'aud'],
      }).catch((error: unknown) => {
        throw refusalOf(error, issuer, audience);
      });
      // One that is for others as well is one that they could show here.
      if (typeof payload.aud !== 'string' && payload.aud?.length !== 1)
        throw notValid('it is for several audiences');
      return issuer.provider === 'github' ? githubJob(issuer.url, payload) : gitlabJob(issuer.url, payload);
    },
  };
}

/** Who says to have signed it. That is looked at only to know whose keys to ask for. */
function issuerOf(idToken: string, issuers: readonly Issuer[]): Issuer {
  let claimed: string | undefined;
  try {
    claimed = decodeJwt(idToken).iss;
  } catch (cause) {
    throw notValid('it is no token at all', cause);
  }
  const issuer = issuers.find(({ url }) => url === claimed);
  if (issuer) return issuer;
  throw notValid(`this plane trusts no issuer ${JSON.stringify(claimed ?? '').slice(0, 200)}`);
}

async function keysUrl({ url, keys }: Issuer): Promise<URL> {
  if (keys !== null) return new URL(keys);
  const place = `${url}/.well-known/openid-configuration`;
  try {
    const answer = await fetch(place, {
      redirect: 'error',
      signal: AbortSignal.timeout(keyTimes.timeoutDuration),
    });
    const found = (await answer.json()) as { issuer?: string; jwks_uri?: string };
    const where = new URL(found.jwks_uri ?? '');
    if (found.issuer !== url || where.origin !== new URL(url).origin)
      throw new Error('it names another host');
    return where;
  } catch (cause) {
    throw new SphereError(
      'INFRASTRUCTURE',
      `the keys of ${url} cannot be found: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

function githubJob(issuer: string, claims: JWTPayload): Job {
  const text = textIn(claims);
  const event = text('event_name');
  // Of these, GitHub does not say whose branch it is: it may be that of a fork.
  if (/^pull_request/.test(event)) throw notForPullRequests(event);
  return job(issuer, claims, {
    repository: text('repository'),
    repositoryId: text('repository_id'),
    ref: text('ref'),
  });
}

function gitlabJob(issuer: string, claims: JWTPayload): Job {
  const text = textIn(claims);
  const source = text('pipeline_source');
  if (/merge_request|pull_request/.test(source)) throw notForPullRequests(source);
  return job(issuer, claims, {
    repository: text('project_path'),
    repositoryId: text('project_id'),
    ref: text('ref_path'),
  });
}

function job(
  issuer: string,
  claims: JWTPayload,
  { repository, repositoryId, ref }: Pick<Job, 'repository' | 'repositoryId' | 'ref'>,
): Job {
  if (!/^refs\/(heads|tags)\/./.test(ref)) {
    throw new SphereError('NOT_ALLOWED', `the job runs on ${ref}, which is neither a branch nor a tag`);
  }
  const text = textIn(claims);
  return {
    issuer,
    repository: repository.toLowerCase(),
    repositoryId,
    ref,
    environment: claims.environment === undefined ? null : text('environment'),
    subject: text('sub'),
    tokenId: text('jti'),
    expiresAt: new Date((claims.exp as number) * 1000),
  };
}

/** A claim that has to be a text. */
const textIn = (claims: JWTPayload) => (name: string) => {
  const value = claims[name];
  if (typeof value === 'string' && value !== '' && value.length <= 1000 && !/\p{Cc}/u.test(value))
    return value;
  throw notValid(`it has no "${name}"`);
};

const notForPullRequests = (event: string) =>
  new SphereError('NOT_ALLOWED', `jobs for ${event} get no token: the code may be that of a fork`, {
    hint: 'Deploy from jobs for pushes to a branch.',
  });

const reasons: Record<string, string> = {
  ERR_JWT_EXPIRED: 'it has expired',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'its signature is wrong',
  ERR_JOSE_ALG_NOT_ALLOWED: 'it is not signed as its issuer signs',
  ERR_JWKS_NO_MATCHING_KEY: 'its issuer has no such key',
};

function refusalOf(error: unknown, issuer: Issuer, audience: string): Error {
  if (error instanceof errors.JWTClaimValidationFailed) {
    return notValid(
      error.claim === 'aud' ? `it was not made for ${audience}` : `its "${error.claim}" does not fit`,
      error,
    );
  }
  const known = error instanceof errors.JOSEError ? reasons[error.code] : undefined;
  if (known) return notValid(known, error);
  const ofTheirs = error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError);
  // jose says so of an answer that is not 200, too.
  if (ofTheirs || error.code === 'ERR_JOSE_GENERIC') {
    return new SphereError('INFRASTRUCTURE', `the keys of ${issuer.url} cannot be had`, { cause: error });
  }
  return notValid('it is malformed', error);
}

const notValid = (why: string, cause?: unknown) =>
  new SphereError('NOT_SIGNED_IN', `the ID token is refused: ${why}`, { cause });
