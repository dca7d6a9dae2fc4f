/** `sphere audit` */
import { SphereError } from '../../contract/errors.ts';
import { withHostedPlane } from '../account.ts';
import type { CommandFile, Context, Result } from '../command.ts';

type AuditOptions = { slug?: string; limit: string; before?: string };

export const command: CommandFile = {
  examples: [
    ['sphere audit --project shop', 'the last changes of shop'],
    ['sphere audit --limit 500 --json', 'for a program that keeps them'],
  ],
  notes: `SPHERE_TOKEN is the admin token of the plane, which sees everything, or one of an account
with the scope admin, which sees what is that account's.`,
  define(command) {
    command
      .option('--project, --slug <slug>', 'only what was changed of this project')
      .option('--limit <n>', 'how many entries', '50')
      .option('--before <id>', 'only what is older than this entry');
  },
  async run(context: Context, _args: string[], options: AuditOptions): Promise<Result> {
    const limit = Number(options.limit);
    if (!Number.isInteger(limit) || limit < 1 || limit > 500) {
      throw new SphereError('USAGE', `--limit takes a whole number from 1 to 500, not "${options.limit}".`);
    }
    const { slug: project, before } = options;
    const found = await withHostedPlane(context, (api) => api.listChanges({ project, limit, before }));
    const { table } = await import('../format.ts');
    const rows = found.entries.map(({ at, actor, action, account, project, object, address }) => [
      at.slice(0, 19).replace('T', ' '),
      `${actor.kind}${actor.id === null ? '' : ` ${actor.id}`}`,
      action,
      account ?? '-',
      [project, object].filter((part) => part !== null).join(' ') || '-',
      address ?? '-',
    ]);
    if (found.next !== null) context.output.note(`Older ones: sphere audit --before ${found.next}`);
    return {
      json: found,
      text:
        rows.length === 0 ? null : table([['AT (UTC)', 'BY', 'CHANGE', 'ACCOUNT', 'OF', 'FROM'], ...rows]),
    };
  },
};
