/** `sphere login` */
import type { CommandFile, Context } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['sphere login', 'asks for the address and the token'],
    ['sphere login --url https://sphere.example.com < token.txt', 'without a terminal'],
    ['sphere login --url https://other.example.com', 'another plane; the last one is used'],
  ],
  notes: `The token is checked, and kept in ~/.config/sphere/credentials.json, which only you can read.
SPHERE_URL and SPHERE_TOKEN, where they are set, go above it: nothing has to be signed in to in CI.`,
  define(command) {
    command.option('--url <url>', 'the address of the control plane');
  },
  async run(context, _args, options: { url?: string }) {
    const { checkedToken, describeSignIn, givenToken, readPlaneUrl, signIn } = await import('../sign-in.ts');
    const { readCredentials } = await import('../credentials.ts');
    const { environment, output } = context;
    const file = environment.credentials;
    const url = readPlaneUrl(...(await obtainUrl(context, options.url)));
    if (url.startsWith('http:') && !isThisMachine(url)) {
      output.warn(`${url} is not encrypted: whoever is on the way reads the token.`);
    }
    const kept = readCredentials(file).planes[url];
    // To go back to a plane, nobody has to look for its token again.
    const given = await givenToken(context);
    const again = kept && given === null ? await stillGood(file, url, kept.token) : null;
    const who = again ?? (await signIn(file, url, await checkedToken(context, url, given)));
    const credential = {
      account: who.account,
      tokenName: who.token?.name ?? null,
      expiresAt: who.token?.expiresAt ?? null,
    };
    output.note(
      `${output.paint('green', '✔')} Signed in to ${url} as ${describeSignIn(credential)}${again ? ', with the token that was kept' : ''}.`,
    );
    return {
      json: { url, ...credential, admin: who.admin, version: who.version },
      text: who.account ?? 'admin',
    };
  },
};

async function obtainUrl(context: Context, flag: string | undefined): Promise<[text: string, from: string]> {
  if (flag !== undefined) return [flag, '--url'];
  const { environment, prompts } = context;
  const { SPHERE_URL } = environment.variables;
  if (SPHERE_URL !== undefined) return [SPHERE_URL, 'SPHERE_URL'];
  if (prompts) {
    const { readCredentials } = await import('../credentials.ts');
    const { typedPlaneUrl } = await import('../sign-in.ts');
    const answer = await prompts.text(
      'Address of the control plane:',
      readCredentials(environment.credentials).current,
      (text) => (typedPlaneUrl(text) ? null : 'It takes something like https://sphere.example.com'),
    );
    return [answer, 'The answer'];
  }
  const { SphereError } = await import('../../contract/errors.ts');
  throw new SphereError('INPUT_NEEDED', 'No control plane is named.', {
    hint: 'Name it with --url, such as `sphere login --url https://sphere.example.com`.',
  });
}

/** Signs in with the token that was kept; null when the plane does not know it any more. */
async function stillGood(file: string, url: string, token: string) {
  const [{ signIn }, { SphereError }] = await Promise.all([
    import('../sign-in.ts'),
    import('../../contract/errors.ts'),
  ]);
  try {
    return await signIn(file, url, token);
  } catch (error) {
    if (error instanceof SphereError && error.code === 'NOT_SIGNED_IN') return null;
    throw error;
  }
}

const isThisMachine = (url: string) =>
  /^http:\/\/(127\.\d+\.\d+\.\d+|\[::1\]|localhost|[^/]+\.localhost)(:\d+)?$/.test(url);
