/** `sphere rollback` */
import type { Deployment, RollbackAnswer, RollbackPlan } from '../../contract/api.ts';
import type { Api } from '../api.ts';
import type { CommandFile, Context, Result } from '../command.ts';
import type { Reports } from '../reports.ts';

type RollbackOptions = { slug?: string; timeout?: string };

export const command: CommandFile = {
  examples: [
    ['sphere rollback', 'back to what was live before'],
    ['sphere rollback dpl_0123456789', 'to a deployment that was live once, earlier or later'],
    ['sphere rollback --yes', 'without asking'],
  ],
  notes: `What changes is shown, and a terminal asks. Nothing is built: it takes a moment. stdout gets the address
of the site. Builds that run meanwhile do not replace what was rolled back to.`,
  define(command) {
    command
      .argument('[id]', 'the deployment to go back to; without one, what was live before')
      .option('--project, --slug <slug>', 'the project, where it is not that of this directory')
      .option('--timeout <duration>', 'wait no longer, such as 30s; the plane goes on (exit code 6)');
  },
  async run(context, [id], options: RollbackOptions) {
    const { readTimeout } = await import('../durations.ts');
    const timeoutMs = readTimeout(options.timeout);
    const { reporting } = await import('../reports.ts');
    return reporting(context, (reports) => rollBack(context, id, { ...options, timeoutMs }, reports));
  },
};

async function rollBack(
  context: Context,
  id: string | undefined,
  { timeoutMs, ...options }: RollbackOptions & { timeoutMs: number | undefined },
  reports: Reports,
): Promise<Result> {
  const { openPlane, projectSlug } = await import('../session.ts');
  const { api } = await openPlane(context, options);
  // A deployment knows its project, so that an id alone works from anywhere.
  const named = options.slug !== undefined || id === undefined;
  const slug = named ? await projectSlug(context, options) : (await api.getDeployment(id)).project;
  const plan = await askPlan(api, slug, id);
  if (plan) context.output.note(await describePlan(plan, slug));
  const { note, paint } = context.output;
  if (context.prompts && !(await context.prompts.confirm('Roll back?'))) {
    note('Nothing was changed.');
    return { json: { rolledBack: false, plan }, text: null, failed: true };
  }
  // What was shown is what happens, also when something else became live meanwhile.
  const answer = await carryOut(api, slug, plan?.deployment.id ?? id, timeoutMs);
  note(`${paint('green', '✔')} Rolled ${paint('bold', slug)} back to ${answer.deployment.id}.`);
  reports.done(
    { ...answer.deployment, url: answer.url },
    `Rolled back to \`${answer.deployment.id}\`, without a build.`,
  );
  return { json: { ...answer, ...(plan ? { figures: plan.figures } : {}) }, text: answer.url };
}

/** What would change; null from a plane that cannot say so. */
async function askPlan(api: Api, slug: string, id: string | undefined): Promise<RollbackPlan | null> {
  const { SphereError } = await import('../../contract/errors.ts');
  try {
    return await api.planRollback(slug, id);
  } catch (error) {
    // Where it is the project that is missing, the rollback itself says so.
    if (error instanceof SphereError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

async function describePlan(
  { deployment, previous, figures, paths }: RollbackPlan,
  slug: string,
): Promise<string> {
  const [{ ago, count }, { sourceText }] = await Promise.all([
    import('../format.ts'),
    import('../summary.ts'),
  ]);
  const describe = (one: Deployment) => `${one.id}  ${sourceText(one)}, ${ago(one.createdAt, Date.now())}`;
  const named = [
    ...paths.changed.map((path) => `  ~ ${path}`),
    ...paths.added.map((path) => `  + ${path}`),
    ...paths.removed.map((path) => `  - ${path}`),
  ];
  const all = figures.changed + figures.added + figures.removed;
  const shown = named.slice(0, 10);
  const more = all > shown.length ? [`  ... and ${all - shown.length} more`] : [];
  return [
    `Rolling ${slug} back:`,
    `  from  ${previous ? describe(previous) : 'nothing'}`,
    `  to    ${describe(deployment)}`,
    all === 0
      ? `${count(figures.same, 'file is', 'files are')} the same; what may differ is how they are served.`
      : `${count(all, 'file differs', 'files differ')}: ${figures.changed} changed, ${figures.added} added, ${figures.removed} removed.`,
    ...shown,
    ...more,
  ].join('\n');
}

async function carryOut(
  api: Api,
  slug: string,
  id: string | undefined,
  timeoutMs: number | undefined,
): Promise<RollbackAnswer> {
  if (timeoutMs === undefined) return api.rollback(slug, id);
  const [{ setTimeout: sleep }, { SphereError }, { duration }] = await Promise.all([
    import('node:timers/promises'),
    import('../../contract/errors.ts'),
    import('../format.ts'),
  ]);
  const over = sleep(timeoutMs, undefined, { ref: false }).then(() => {
    throw new SphereError(
      'WAIT_TIMED_OUT',
      `The rollback has not ended after ${duration(timeoutMs)}. It goes on.`,
      {
        hint: `See \`sphere ls ${slug}\`.`,
      },
    );
  });
  return Promise.race([api.rollback(slug, id), over]);
}
