/** Signing in to a plane: asks it whose token it is given, and keeps what works. */
import type { WhoAmI } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { type Api, createApi } from './api.ts';
import type { Context } from './command.ts';
import { type Credential, readCredentials, writeCredentials } from './credentials.ts';
import { planeUrl } from './plane-choice.ts';

/** Whose token it is that `api` calls with. Throws `NOT_SIGNED_IN`, and `VERSION_MISMATCH` for a plane that cannot say. */
export async function askWhoAmI(api: Api): Promise<WhoAmI> {
  try {
    return await api.whoAmI();
  } catch (error) {
    if (!(error instanceof SphereError) || error.code !== 'NOT_FOUND') throw error;
    const { version } = await api.health();
    throw new SphereError(
      'VERSION_MISMATCH',
      `The plane is Sphere ${version}, which cannot say whose a token is.`,
      {
        hint: 'Update the plane; until then set SPHERE_URL and SPHERE_TOKEN.',
        cause: error,
      },
    );
  }
}

/** As `readPlaneUrl`; null for what is no address. Pure. */
export function typedPlaneUrl(text: string): string | null {
  const typed = text.trim();
  if (typed === '' || /\s/.test(typed)) return null;
  return planeUrl(typed.includes('://') ? typed : `https://${typed}`);
}

/** The address that a person gave, with `https://` where they left it out. Throws `USAGE`. */
export function readPlaneUrl(text: string, from: string): string {
  const url = typedPlaneUrl(text);
  if (url !== null) return url;
  throw new SphereError('USAGE', `${from} is not the address of a control plane: "${text}".`, {
    hint: 'It takes something like https://sphere.example.com.',
  });
}

/** Checks `token` against the plane at `url`, and keeps it. Throws `NOT_SIGNED_IN` when the plane does not know it. */
export async function signIn(file: string, url: string, token: string): Promise<WhoAmI> {
  const api = createApi({
    url,
    token,
    refusal: {
      message: `${url} does not know this token: it is wrong, has expired or was removed. Nothing was kept.`,
      hint: 'The admin of the plane makes one with `sphere token create --account NAME`.',
    },
  });
  try {
    const who = await askWhoAmI(api);
    const credentials = readCredentials(file);
    credentials.planes[url] = {
      token,
      account: who.account,
      tokenName: who.token?.name ?? null,
      expiresAt: who.token?.expiresAt ?? null,
    };
    writeCredentials(file, { ...credentials, current: url });
    return who;
  } finally {
    api.close();
  }
}

/** The token that was given: as a flag, in the environment, or piped in where nobody can be asked. Null: none. */
export async function givenToken({ flags, environment, prompts, piped }: Context): Promise<string | null> {
  const given = flags.token ?? environment.variables.SPHERE_TOKEN ?? (prompts ? null : await piped());
  return given?.trim() || null;
}

/** `given`, or what the person answers. Throws `INPUT_NEEDED`, and `USAGE` for what cannot be a token. */
export async function checkedToken({ prompts }: Context, url: string, given: string | null): Promise<string> {
  const token = given ?? ((await prompts?.secret(`Token for ${url}:`)) ?? '').trim();
  if (token === '') {
    throw new SphereError('INPUT_NEEDED', `There is no token for ${url}.`, {
      hint: 'Pipe it in (`sphere login --url URL < FILE`), or give it with --token or in SPHERE_TOKEN.',
    });
  }
  if (/^[\x21-\x7e]{1,512}$/.test(token)) return token;
  throw new SphereError('USAGE', 'The token holds characters that no token has, such as spaces.', {
    hint: 'It is one word, such as sph_0123abcd.',
  });
}

/** A sign-in in words: `acme (token "ci", expires on 2026-03-01)`. Pure. */
export function describeSignIn({ account, tokenName, expiresAt }: Omit<Credential, 'token'>): string {
  const parts = [
    tokenName === null ? [] : `token "${tokenName}"`,
    expiresAt === null ? 'does not expire' : `expires on ${expiresAt.slice(0, 10)}`,
  ].flat();
  return `${account ?? 'the admin of the plane'} (${parts.join(', ')})`;
}
