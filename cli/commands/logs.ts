/** `sphere logs` */
import type { LogLine } from '../../contract/logs.ts';
import type { CommandFile, Context } from '../command.ts';
import type { Plane } from '../plane.ts';

type LogsOptions = { follow?: true; since?: string; phase?: string; slug?: string };
type Wanted = (line: LogLine) => boolean;

export const command: CommandFile = {
  examples: [
    ['sphere logs', 'the log of the newest deployment of this project'],
    ['sphere logs -f', 'the same, and what is printed from now on'],
    ['sphere logs dpl_0123456789 --phase install,build', 'a part of an earlier one'],
    ['sphere logs -f --json | jq -r .text', 'one object per line'],
  ],
  notes: `The log goes to stdout, all of it from the first line on; with --json one object per line (NDJSON):
seq, time (milliseconds since 1970), phase, stream and text.`,
  define(command) {
    command
      .argument('[id]', 'a deployment; without one, the newest of this project')
      .option('-f, --follow', 'go on with what is printed from now, until the deployment ends')
      .option('--since <time>', 'only lines from then on: 10m, 2h, or 2026-03-01T12:00:00Z')
      .option('--phase <phases>', 'only lines of these: queue,prepare,clone,install,build,upload,publish')
      .option('--project, --slug <slug>', 'the newest of this project');
  },
  async run(context, [id], options: LogsOptions) {
    const wanted = await readFilter(options);
    const { findDeployment, openPlane } = await import('../session.ts');
    const plane = await openPlane(context, options);
    const deployment = await findDeployment(context, plane, { id, flags: options });
    const pages = options.follow
      ? await follow(context, plane, deployment.id)
      : await history(plane, deployment.id);
    for await (const page of pages) {
      const text = render(page.filter(wanted), context.output.json);
      // Nobody reads any more (`sphere logs | head`).
      if (text !== '' && !(await context.output.resultLines(text))) break;
    }
    return null;
  },
};

/** Which lines are wanted. Throws `USAGE`. */
async function readFilter({ since, phase }: LogsOptions): Promise<Wanted> {
  if (since === undefined && phase === undefined) return () => true;
  const [{ readSince }, { phases }, { SphereError }] = await Promise.all([
    import('../durations.ts'),
    import('../../contract/words.ts'),
    import('../../contract/errors.ts'),
  ]);
  const from = since === undefined ? 0 : readSince(since, Date.now());
  const named = phase?.split(',');
  const wrong = named?.find((name) => !phases.some((known) => known === name));
  if (wrong !== undefined) {
    throw new SphereError('USAGE', `--phase: there is no phase "${wrong}".`, {
      hint: `The phases are ${phases.join(', ')}.`,
    });
  }
  return (line) => line.time >= from && (named === undefined || named.includes(line.phase));
}

async function history(plane: Plane, id: string): Promise<AsyncIterable<readonly LogLine[]>> {
  const { readStoredLog } = await import('../log-history.ts');
  return readStoredLog(plane.api, id, 0);
}

async function follow(
  { output }: Context,
  plane: Plane,
  id: string,
): Promise<AsyncIterable<readonly LogLine[]>> {
  const [{ followLog }, { decodeLines }] = await Promise.all([
    import('../log-stream.ts'),
    import('../../contract/logs.ts'),
  ]);
  const onLost = () => output.warn('The log was interrupted; it continues as soon as the plane answers.');
  const batches = followLog({ plane: plane.address, deployment: id, after: 0, onLost });
  return (async function* () {
    for await (const batch of batches) yield decodeLines(batch.lines);
  })();
}

function render(lines: readonly LogLine[], json: boolean): string {
  let text = '';
  for (const line of lines) text += json ? `${JSON.stringify(line)}\n` : `${line.text}\n`;
  return text;
}
