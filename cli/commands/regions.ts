/** `sphere regions` */
import type { CommandFile, Context, Result } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['sphere regions', 'where the plane may keep sites; the first is its default'],
    ['sphere regions --ping', 'the nearest first, as measured from here'],
    ['sphere deploy --region eu-central-1', 'keep a new site there'],
  ],
  notes: `--ping opens one TCP connection to S3 in each region. What counts for visitors is where they are.`,
  define(command) {
    command.option('--ping', 'measure how far each region is from here');
  },
  async run(context, _args, options: { ping?: true }) {
    const { openPlane } = await import('../session.ts');
    const { api } = await openPlane(context);
    const regions = await api.regions();
    const usual = regions[0]?.region;
    if (options.ping) return measured(context, regions, usual);
    const { table } = await import('../format.ts');
    const rows = regions.map(({ region, name }) => [region, name, region === usual ? 'the default' : '']);
    return {
      json: { regions, default: usual ?? null },
      text: table([['REGION', 'PLACE', ''], ...rows], context.output.columns),
    };
  },
};

async function measured(
  { output }: Context,
  regions: readonly import('../../contract/api.ts').Region[],
  usual: string | undefined,
): Promise<Result> {
  const [{ nearestFirst }, { table }] = await Promise.all([import('../ping.ts'), import('../format.ts')]);
  output.busy(`Measuring ${regions.length} regions`, Date.now());
  const found = await nearestFirst(regions);
  output.idle();
  const rows = found.map(({ region, name, host, ms }) => [
    region,
    name,
    ms !== null ? `${Math.round(ms)} ms` : host === null ? 'not measured' : 'no answer',
    region === usual ? 'the default' : '',
  ]);
  return {
    json: { regions: found, default: usual ?? null },
    text: table([['REGION', 'PLACE', 'CONNECT', ''], ...rows], output.columns),
  };
}
