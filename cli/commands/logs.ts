/** `sphere logs` */
import type { LogLine } from '../../contract/logs.ts';
import type { CommandFile, Context } from '../command.ts';
import type { Plane } from '../plane.ts';

type LogsOptions = { follow?: true; slug?: string };

export const command: CommandFile = {
  define(command) {
    command
      .argument('[id]', 'a deployment; without one, the newest of this project')
      .option('-f, --follow', 'go on with what is printed from now, until the deployment ends')
      .option('--project, --slug <slug>', 'the newest of this project')
      .addHelpText('after', '\nThe log goes to stdout; with --json, one object per line.');
  },
  async run(context, [id], options: LogsOptions) {
    const { findDeployment, openPlane } = await import('../session.ts');
    const plane = await openPlane(context);
    const deployment = await findDeployment(context, plane, { id, flags: options });
    const lines = options.follow
      ? await follow(context, plane, deployment.id)
      : await history(plane, deployment.id);
    for await (const page of lines) {
      // Nobody reads any more (`sphere logs | head`).
      if (!(await context.output.resultLines(render(page, context.output.json)))) break;
    }
    return null;
  },
};

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
