/** `sphere logout` */
import type { CommandFile, Context } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['sphere logout', 'the plane that was signed in to last'],
    ['sphere logout --all', 'every plane'],
  ],
  notes: `The token is forgotten here and goes on working: to end it everywhere, the admin of the plane
removes it with \`sphere token rm\`.`,
  define(command) {
    command.option('--url <url>', 'the plane to sign out of').option('--all', 'sign out of every plane');
  },
  async run(context, _args, options: { url?: string; all?: true }) {
    const { readCredentials, writeCredentials } = await import('../credentials.ts');
    const file = context.environment.credentials;
    const { current, planes } = readCredentials(file);
    const left = options.all ? Object.keys(planes) : await named(options.url, current, planes);
    for (const url of left) delete planes[url];
    if (left.length > 0) {
      writeCredentials(file, {
        version: 1,
        current: current !== null && planes[current] ? current : null,
        planes,
      });
    }
    sayWhatIsLeft(context, left, Object.keys(planes));
    return { json: { signedOutOf: left }, text: left.length > 0 ? left.join('\n') : null };
  },
};

async function named(
  url: string | undefined,
  current: string | null,
  planes: Record<string, unknown>,
): Promise<string[]> {
  if (url === undefined) return current !== null && planes[current] ? [current] : [];
  const { readPlaneUrl } = await import('../sign-in.ts');
  const wanted = readPlaneUrl(url, '--url');
  return planes[wanted] ? [wanted] : [];
}

function sayWhatIsLeft({ output, environment }: Context, left: string[], others: string[]): void {
  output.note(left.length > 0 ? `Signed out of ${left.join(', ')}.` : 'You were not signed in there.');
  if (others.length > 0) output.note(`Still signed in to ${others.join(', ')}.`);
  if (environment.variables.SPHERE_TOKEN !== undefined) {
    output.note('SPHERE_TOKEN is set, and goes on being used.');
  }
}
