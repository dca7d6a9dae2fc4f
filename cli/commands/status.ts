/** `sphere status` */
import type { Configuration } from '../../contract/configuration.ts';
import type { CommandFile, Context } from '../command.ts';
import type { Setting } from '../settings.ts';

type Row = { name: string; value: string | null; from: string };

export const command: CommandFile = {
  examples: [
    ['sphere status', 'which plane, project and settings count here, and why'],
    ['sphere status --json', 'the same for scripts'],
  ],
  notes: `Flags go above the environment (SPHERE_*), that above sphere.json, that above the link and the sign-in,
and those above what is derived. \`sphere deploy --dry-run\` shows what the build would detect, too.`,
  define() {},
  async run(context) {
    const [{ readProjectDirectory }, { resolveSettings }, { count, table }] = await Promise.all([
      import('../directory.ts'),
      import('../settings.ts'),
      import('../format.ts'),
    ]);
    const { directory, configuration, facts } = await readProjectDirectory(context.directory);
    const { variables } = context.environment;
    const settings = resolveSettings({ flags: {}, variables, file: configuration, facts });
    const { rows: planeRows, hint } = await describePlane({ ...context, directory });
    const rows: Row[] = [
      { name: 'directory', value: directory, from: context.directory === directory ? 'here' : '--cwd' },
      ...planeRows,
      row('slug', settings.slug, 'nothing here names one: --slug'),
      row('region', settings.region, "the plane's default"),
      row('repository', settings.repository, 'the directory itself'),
      ...(settings.ref ? [row('ref', settings.ref, '')] : []),
      ...buildNames.map((name) => {
        const inFile = settings.fileBuild[name];
        const fallback: Setting<string | null> | undefined =
          inFile === undefined ? undefined : { value: inFile, from: 'sphere.json' };
        return row(name, settings.build[name] ?? fallback, 'detected by the build');
      }),
      ...Object.entries(settings.serving).map(([name, value]) => ({
        name,
        value: Array.isArray(value) ? count(value.length, 'rule') : String(value),
        from: 'sphere.json',
      })),
      ...fileOnly(configuration),
    ];
    if (hint) context.output.note(hint);
    const shown = rows.map(({ name, value, from }) => [name, value ?? '-', from]);
    return {
      json: { settings: Object.fromEntries(rows.map(({ name, value, from }) => [name, { value, from }])) },
      text: fitting(table([['SETTING', 'VALUE', 'FROM'], ...shown]), context.output.columns, (columns) =>
        table(
          shown.map(([name = '', value, from]) => [name, `${value} (${from})`]),
          columns,
        ),
      ),
    };
  },
};

/** `wide` where it fits into `columns`, else `narrow`. */
function fitting(wide: string, columns: number | null, narrow: (columns: number) => string): string {
  if (columns === null || wide.split('\n').every((line) => line.length <= columns)) return wide;
  return narrow(columns);
}

const buildNames = [
  'rootDirectory',
  'framework',
  'nodeVersion',
  'installCommand',
  'buildCommand',
  'outputDirectory',
] as const;

/** What only the file can say. Of values for builds the names: they may be many, and long. */
function fileOnly({ env, ignoreCommand, limits, previews, productionBranch }: Configuration): Row[] {
  const from = 'sphere.json';
  return [
    ...(typeof ignoreCommand === 'string' ? [{ name: 'ignoreCommand', value: ignoreCommand, from }] : []),
    ...(productionBranch === undefined ? [] : [{ name: 'productionBranch', value: productionBranch, from }]),
    ...(previews === undefined ? [] : [{ name: 'previews', value: JSON.stringify(previews), from }]),
    ...(limits === undefined ? [] : [{ name: 'limits', value: JSON.stringify(limits), from }]),
    ...(env === undefined ? [] : [{ name: 'env', value: Object.keys(env).join(', ') || 'none', from }]),
  ];
}

/** A null value is one, too: it runs no command. */
function row(name: string, setting: Setting<string | null> | null | undefined, otherwise: string): Row {
  if (!setting) return { name, value: null, from: otherwise };
  return { name, value: setting.value ?? 'none', from: setting.from };
}

/** A sign-in that is missing is what somebody may be looking for: it is shown, not thrown. */
async function describePlane(context: Context): Promise<{ rows: Row[]; hint?: string | undefined }> {
  const [{ choosePlane }, { readCredentials }, { SphereError }] = await Promise.all([
    import('../plane-choice.ts'),
    import('../credentials.ts'),
    import('../../contract/errors.ts'),
  ]);
  try {
    const choice = choosePlane(context);
    if (choice.kind === 'none')
      return { rows: [{ name: 'plane', value: null, from: 'not chosen: --local, or `sphere login`' }] };
    if (choice.kind === 'embedded')
      return { rows: [{ name: 'plane', value: `this machine, ${choice.home}`, from: choice.from }] };
    const { url } = choice.address;
    const kept = readCredentials(context.environment.credentials).planes[url];
    const account = choice.tokenFrom === 'sphere login' ? (kept?.account ?? 'admin') : '?';
    return {
      rows: [
        { name: 'plane', value: url, from: choice.urlFrom },
        { name: 'token', value: 'set', from: choice.tokenFrom },
        { name: 'account', value: account, from: account === '?' ? '`sphere whoami` asks' : 'sphere login' },
      ],
    };
  } catch (error) {
    if (!(error instanceof SphereError) || error.code !== 'NOT_SIGNED_IN') throw error;
    return { rows: [{ name: 'plane', value: null, from: error.message }], hint: error.hint };
  }
}
