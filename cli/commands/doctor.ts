/** `sphere doctor` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  examples: [['sphere doctor', 'looks at what Sphere needs on this machine, and at the plane that is used']],
  notes: `A line for each thing that was looked at, with what to do where something is wrong. Exit code 1 when
something is. For the plane's own side there is \`sphere server check\`.`,
  define() {},
  async run(context) {
    const [{ examine }, { version }] = await Promise.all([
      import('../doctor.ts'),
      import('../../contract/version.ts'),
    ]);
    const { output } = context;
    output.busy('Looking', Date.now());
    const findings = await examine(context);
    output.idle();
    const { table } = await import('../format.ts');
    const marks = { ok: 'ok', warn: 'warn', fail: 'FAIL' } as const;
    const rows = findings.flatMap(({ name, state, seen, fix }) => [
      [marks[state], name, seen],
      ...(fix ? [['', '', `-> ${fix}`]] : []),
    ]);
    const failed = findings.some(({ state }) => state === 'fail');
    return { json: { ok: !failed, version, checks: findings }, text: table(rows, output.columns), failed };
  },
};
