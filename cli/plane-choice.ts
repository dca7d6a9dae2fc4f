/** Which plane a command talks to, and with which token: flags, environment, link, sign-in, the plane on this machine. */
import { readdirSync } from 'node:fs';
import { SphereError } from '../contract/errors.ts';
import { dataDirectoryError } from '../files/make-directory.ts';
import type { PlaneAddress } from './answers.ts';
import type { Environment, JobIdentity } from './config.ts';
import { type Credential, type Credentials, readCredentials } from './credentials.ts';
import { LOCAL_PLANE, linkName, readLink } from './link.ts';

export type PlaneChoice =
  /** `urlFrom` and `tokenFrom`: where they came from, in words for people. */
  /** `job`: the token is to be had for what the host of this job says of it. */
  | { kind: 'hosted'; address: PlaneAddress; urlFrom: string; tokenFrom: string; job?: JobIdentity }
  | { kind: 'embedded'; home: string; from: string }
  /** Nobody has chosen yet. */
  | { kind: 'none'; home: string };

/** What of a run of the CLI the choice depends on. */
export type PlaneWish = {
  environment: Pick<Environment, 'variables' | 'home' | 'credentials' | 'job'>;
  /** The directory whose link counts; null: no link does. */
  directory: string | null;
  flags: {
    local?: boolean | undefined;
    token?: string | undefined;
  };
};

/**
 * The plane that the caller has chosen: `--local`, else SPHERE_URL, the link of the directory, the plane that was signed
 * in to last, an embedded plane that is there. Its token: `--token`, else SPHERE_TOKEN, else that of the sign-in.
 * Throws `NOT_SIGNED_IN` for a plane without a token, `CONFIGURATION_INVALID` for a bad address and a data
 * directory that cannot be read.
 */
export function choosePlane({ environment, directory, flags }: PlaneWish): PlaneChoice {
  const { home, variables } = environment;
  if (flags.local) return { kind: 'embedded', home, from: '--local' };
  const credentials = readCredentials(environment.credentials);
  const named = namedPlane(variables.SPHERE_URL, directory, credentials);
  if (named === null || named.url === LOCAL_PLANE) {
    if (flags.token !== undefined) {
      throw new SphereError('USAGE', '--token is for a hosted control plane, and none is named.', {
        hint: 'Set SPHERE_URL to its address, or sign in once: `sphere login`.',
      });
    }
    if (named) return { kind: 'embedded', home, from: named.from };
    return hasContent(home) ? { kind: 'embedded', home, from: 'it is there' } : { kind: 'none', home };
  }
  const { url, from } = named;
  const credential = credentials.planes[url];
  // Where a token goes is for the person to say: a link may have come with somebody else's repository.
  if (from === linkName && !credential) throw notSignedIn(url, `This directory is linked to ${url}`);
  const [token, tokenFrom] =
    flags.token !== undefined
      ? [flags.token, '--token']
      : variables.SPHERE_TOKEN !== undefined
        ? [variables.SPHERE_TOKEN, 'SPHERE_TOKEN']
        : [credential?.token, 'sphere login'];
  if (token === undefined && environment.job !== null) {
    return {
      kind: 'hosted',
      address: { url, token: '' },
      urlFrom: from,
      tokenFrom: 'this job',
      job: environment.job,
    };
  }
  if (token === undefined) throw notSignedIn(url, `SPHERE_URL names the control plane ${url}`);
  const address = { url, token, refusal: refusalOf(url, tokenFrom, credential) };
  return { kind: 'hosted', address, urlFrom: from, tokenFrom };
}

function namedPlane(
  variable: string | undefined,
  directory: string | null,
  credentials: Credentials,
): { url: string; from: string } | null {
  if (variable !== undefined) {
    const url = planeUrl(variable);
    if (url !== null) return { url, from: 'SPHERE_URL' };
    throw new SphereError(
      'CONFIGURATION_INVALID',
      `SPHERE_URL is not the address of a control plane: "${variable}".`,
      { hint: 'Set it to something like https://sphere.example.com, or unset it to use the embedded plane.' },
    );
  }
  const link = directory === null ? null : readLink(directory);
  if (link) return { url: planeUrl(link.plane) ?? LOCAL_PLANE, from: linkName };
  const { current } = credentials;
  return current !== null && credentials.planes[current] ? { url: current, from: 'sphere login' } : null;
}

/** The address of a plane as it is kept and compared, or null for a text that is none. Pure. */
export function planeUrl(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { protocol, origin } = new URL(text);
  return protocol === 'https:' || protocol === 'http:' ? origin : null;
}

function notSignedIn(url: string, why: string): SphereError {
  return new SphereError('NOT_SIGNED_IN', `${why}, and you are not signed in there.`, {
    hint: `Sign in: \`sphere login --url ${url}\`, or set SPHERE_URL and SPHERE_TOKEN; \`--local\` uses the plane on this machine.`,
  });
}

/** What to say when the plane refuses the token. */
function refusalOf(
  url: string,
  tokenFrom: string,
  credential: Credential | undefined,
): NonNullable<PlaneAddress['refusal']> {
  const signIn = `sphere login --url ${url}`;
  if (tokenFrom === '--token') {
    return {
      message: `${url} refuses the token of --token: it is wrong, has expired or was removed.`,
      hint: `Give one that works, or sign in: \`${signIn}\`.`,
    };
  }
  if (tokenFrom === 'SPHERE_TOKEN') {
    return {
      message: `${url} refuses SPHERE_TOKEN: it is wrong, has expired or was removed.`,
      hint: `Set SPHERE_TOKEN to a token that works, or unset it and sign in: \`${signIn}\`.`,
    };
  }
  const expiresAt = credential?.expiresAt ?? null;
  const over =
    expiresAt !== null && Date.parse(expiresAt) <= Date.now()
      ? `has expired on ${expiresAt.slice(0, 10)}`
      : 'has expired or was removed';
  return {
    message: `You are not signed in to ${url} any more: the token ${over}.`,
    hint: `Sign in again: \`${signIn}\`.`,
  };
}

/** The error for a command that needs a plane when nobody has chosen one. */
export function planeNotChosen(): SphereError {
  return new SphereError('PLANE_NOT_CHOSEN', 'No control plane is configured.', {
    hint:
      'Add --local to `sphere deploy` to use one on this machine (it needs no account), or sign in to a hosted one: ' +
      '`sphere login` (in scripts set SPHERE_URL and SPHERE_TOKEN).',
  });
}

/** The error for a command that looks at what a plane has, before there is one. */
export function noPlaneYet(): SphereError {
  return new SphereError('PLANE_NOT_CHOSEN', 'There is no plane yet.', {
    hint:
      'Your first `sphere deploy --local` makes one on this machine; ' +
      'for a hosted one `sphere login` (in scripts set SPHERE_URL and SPHERE_TOKEN).',
  });
}

/** Throws `CONFIGURATION_INVALID` where nobody can tell: "there is none" would be untrue. */
function hasContent(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw dataDirectoryError(error, directory, 'read') ?? error;
  }
}
