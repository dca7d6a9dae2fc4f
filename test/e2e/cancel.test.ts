/** Cancelling: Ctrl-C here, `sphere cancel` elsewhere, and no process of the build that survives it. */
import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import type { Deployment } from '../../contract/api.ts';
import { built, project } from './projects.ts';
import { openSphere, processesWith, until } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

/** A build that never ends: with a child that ignores SIGTERM, and one that has left the process group. */
function endless(name: string) {
  const mark = randomUUID();
  const cwd = project(
    sphere,
    name,
    built(`
      const stay = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up");';
      const up = (child) => new Promise((resolve) => child.stdout.once('data', resolve));
      const stubborn = spawn(process.execPath, ['-e', stay, '${mark}'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const apart = spawn(process.execPath, ['-e', stay, '${mark}'], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
      await Promise.all([up(stubborn), up(apart)]);
      console.log('and now it stays');
      setInterval(() => {}, 1000);
    `),
  );
  return { cwd, mark };
}

const over = (mark: string) =>
  until('the processes of the build are gone', () => processesWith(mark).length === 0);

describe('Ctrl-C', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    'as %s cancels, waits for the confirmation, and leaves no process of the build',
    async (signal) => {
      const name = `interrupted-by-${signal.toLowerCase()}`;
      const { cwd, mark } = endless(name);
      const run = sphere.start(['deploy', '--local'], { cwd });
      await run.sees(/^and now it stays$/m);
      expect(processesWith(mark)).toHaveLength(2);
      run.child.kill(signal);
      const { code, stdout, stderr } = await run.ended;
      expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
      expect(stderr).toContain('Cancelling');
      const deployment = await sphere.newest(name);
      expect(deployment).toMatchObject({ status: 'cancelled', reason: 'user' });
      expect(stderr).toContain(`${deployment.id} is cancelled`);
      await over(mark);
    },
  );

  test('is one object with --json', async () => {
    const { cwd, mark } = endless('interrupted-json');
    const run = sphere.start(['deploy', '--local', '--json'], { cwd });
    await run.sees(/^and now it stays$/m);
    run.child.kill('SIGINT');
    const { code, stdout } = await run.ended;
    expect(code).toBe(130);
    const answer = JSON.parse(stdout) as { error: { code: string }; deployment: Deployment };
    expect(answer).toMatchObject({ error: { code: 'INTERRUPTED' }, deployment: { status: 'cancelled' } });
    await over(mark);
  });

  test('twice leaves at once, and the plane goes on with the cancelling', async () => {
    const { cwd, mark } = endless('interrupted-twice');
    const run = sphere.start(['deploy', '--local'], { cwd });
    await run.sees(/^and now it stays$/m);
    const { pid } = sphere.plane();
    // A plane that does not answer: nothing is confirmed.
    process.kill(pid, 'SIGSTOP');
    run.child.kill('SIGINT');
    await run.sees(/Ctrl-C again leaves at once/);
    run.child.kill('SIGINT');
    // Neither was the plane's answer waited for, which stands still, nor has the first given up on it.
    const { code, stdout, stderr } = await run.ended;
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(stderr).not.toContain('could not be cancelled');
    process.kill(pid, 'SIGCONT');
    await over(mark);
    expect((await sphere.newest('interrupted-twice')).status).toBe('cancelled');
  });
});

describe('sphere cancel', () => {
  test('from another terminal ends the deployment and the first one with exit 7', async () => {
    const { cwd, mark } = endless('cancelled');
    const run = sphere.start(['deploy', '--local'], { cwd });
    await run.sees(/^and now it stays$/m);
    const { id } = await sphere.newest('cancelled');
    const cancel = await sphere.run(['cancel', id]);
    expect(cancel).toMatchObject({ code: 0, stdout: `${id}\n` });
    const { code, stdout, stderr } = await run.ended;
    expect({ code, stdout }).toEqual({ code: 7, stdout: '' });
    expect(stderr).toContain('cancelled');
    await over(mark);
    // Once more is no error, and without an id there is nothing left to cancel.
    expect((await sphere.run(['cancel', id])).code).toBe(0);
    expect((await sphere.run(['cancel'], { cwd })).code).toBe(1);
  });

  test('without an id takes the one that has not ended, and what waited behind it is built', async () => {
    const { cwd, mark } = endless('unblocked');
    const { stdout } = await sphere.run(['deploy', '--local', '--detach'], { cwd });
    const first = stdout.trim();
    await until('the first builds', async () => (await sphere.inspect(first)).status === 'building');
    expect((await sphere.run(['cancel'], { cwd })).stdout.trim()).toBe(first);
    project(sphere, 'unblocked', built(`site({ 'index.html': 'free' });`));
    expect((await sphere.run(['deploy', '--local'], { cwd })).code).toBe(0);
    await over(mark);
  });
});
