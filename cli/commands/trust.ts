/** `sphere trust add`, `ls` and `rm` */
import type { Command } from 'commander';
import type { CreateTrust, Trust } from '../../contract/accounts-api.ts';
import { SphereError } from '../../contract/errors.ts';
import { readAccount, withAccount, withHostedPlane } from '../account.ts';
import type { CommandFile, Context, Result } from '../command.ts';

type AccountOption = { account?: string };
type AddOptions = AccountOption & {
  /** What `--project` and `--slug` both set. */
  slug?: string;
  ref?: string;
  environment?: string;
  repositoryId?: string;
  issuer?: string;
};

const example = 'sphere trust add github acme/web --ref main --project shop --account acme';

export const command: CommandFile = {
  examples: [
    [example, 'pushes to main of acme/web may deploy to shop'],
    ['sphere trust ls --account acme', 'whom the account trusts'],
  ],
  notes: `A job that is trusted deploys with SPHERE_URL alone. On GitHub it needs
\`permissions: id-token: write\`; on GitLab \`id_tokens: {SPHERE_ID_TOKEN: {aud: ADDRESS}}\`.
SPHERE_TOKEN is the admin token of the plane, or one of the account with the scope admin.`,
  define() {},
  async run() {
    throw new SphereError('USAGE', '`sphere trust` needs to know what to do.', {
      hint: `Name one of add, ls and rm: ${example}`,
    });
  },
  subcommands: [
    {
      name: 'add',
      summary: 'let jobs of a repository deploy to a project without a token',
      define: (command: Command) => {
        withAccount(command)
          .argument('<host>', 'github or gitlab')
          .argument('<repository>', 'OWNER/REPO')
          .option('--project, --slug <slug>', 'the project that they may deploy to')
          .option('--ref <ref>', 'only on this branch, or on refs/tags/NAME; default: any branch or tag')
          .option('--environment <name>', 'only in this environment')
          .option(
            '--repository-id <number>',
            "the host's number of the repository; default: that of its first job",
          )
          .option('--issuer <url>', 'who signs for its jobs, where the host is your own');
      },
      run: add,
    },
    { name: 'ls', summary: 'list whom an account trusts', define: withAccount, run: list },
    {
      name: 'rm',
      summary: 'trust it no more; tokens of its jobs end',
      define: (command: Command) => {
        withAccount(command).argument('<id>', 'the trust, as `sphere trust ls` shows it');
      },
      run: remove,
    },
  ],
};

async function add(
  context: Context,
  [host = '', repository = '']: string[],
  options: AddOptions,
): Promise<Result> {
  const account = readAccount(options);
  if (host !== 'github' && host !== 'gitlab') {
    throw new SphereError('USAGE', `Jobs of "${host}" cannot be trusted.`, {
      hint: `It takes github or gitlab: ${example}`,
    });
  }
  if (options.slug === undefined) {
    throw new SphereError('INPUT_NEEDED', 'No project is named.', { hint: 'Name it with --project.' });
  }
  const request: CreateTrust = {
    provider: host,
    repository,
    project: options.slug,
    ...(options.ref === undefined ? {} : { ref: options.ref }),
    ...(options.environment === undefined ? {} : { environment: options.environment }),
    ...(options.repositoryId === undefined ? {} : { repositoryId: options.repositoryId }),
    ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
  };
  const made = await withHostedPlane(context, (api) => api.createTrust(account, request));
  const { output } = context;
  output.note(`Jobs of ${made.repository} on ${where(made)} may deploy to ${made.project}.`);
  if (made.ref === null) output.note('Whoever can push a branch there can deploy. --ref names the only one.');
  return { json: made, text: made.id };
}

const where = ({ ref, environment }: Trust) =>
  `${ref ?? 'any branch or tag'}${environment === null ? '' : ` in ${environment}`}`;

async function list(context: Context, _args: string[], options: AccountOption): Promise<Result> {
  const account = readAccount(options);
  const trusts = await withHostedPlane(context, (api) => api.listTrusts(account));
  const { ago, table } = await import('../format.ts');
  const now = Date.now();
  const rows = trusts.map((trust) => [
    trust.id,
    `${trust.provider}:${trust.repository}`,
    where(trust),
    trust.project,
    trust.lastUsedAt === null ? 'never' : ago(trust.lastUsedAt, now),
  ]);
  return {
    json: { trusts },
    text: rows.length === 0 ? null : table([['TRUST', 'REPOSITORY', 'ON', 'PROJECT', 'LAST USED'], ...rows]),
  };
}

async function remove(context: Context, [id = '']: string[], options: AccountOption): Promise<Result> {
  const account = readAccount(options);
  const answer = await withHostedPlane(context, (api) => api.removeTrust(account, id));
  context.output.note(`Removed ${answer.id} of ${account}: its jobs get no token any more.`);
  return { json: answer, text: answer.id };
}
