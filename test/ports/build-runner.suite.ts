/** The guarantees of a BuildRunner, run on every adapter with a program that stands for the builder. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BuildRunner, RunnerRef } from '../../server/ports.ts';

/** One plane's builders for one test. */
export type OpenRunners = {
  /** The runner as another process of the plane has it. */
  runner(): BuildRunner;
};

/** Opens what runs `program`, the text of a script, and tells it that the plane is at `planeUrl`. */
export type OpenRunner = (planeUrl: string, program: string) => Promise<OpenRunners>;

/** Tells the plane who it is, and works until it is told to end. */
const working = `
  const { SPHERE_PLANE_URL, SPHERE_DEPLOYMENT, SPHERE_ATTEMPT, SPHERE_BOOTSTRAP_TOKEN } = process.env;
  const told = { pid: process.pid, SPHERE_DEPLOYMENT, SPHERE_ATTEMPT, SPHERE_BOOTSTRAP_TOKEN };
  process.on('SIGTERM', () => process.exit(143));
  setInterval(() => {}, 1000);
  require('node:http').request(SPHERE_PLANE_URL, { method: 'POST' }).end(JSON.stringify(told));
`;
/** Does not hear SIGTERM. */
const deaf = `${working}
  process.removeAllListeners('SIGTERM');
  process.on('SIGTERM', () => {});
`;

type Told = {
  pid: number;
  SPHERE_DEPLOYMENT: string;
  SPHERE_ATTEMPT: string;
  SPHERE_BOOTSTRAP_TOKEN: string;
};

/** Where builders report to. */
async function openPlane() {
  const told: Told[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    told.push(JSON.parse(body));
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const build = (deployment: string, attempt = 1) => ({
  deployment,
  attempt,
  bootstrapToken: `token of ${deployment}`,
  lost: 0,
});
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const poll = { interval: 20, timeout: 15_000 };
const stateOf = async (runner: BuildRunner, ref: RunnerRef) => (await runner.states([ref]))[0]?.state;

/** Runs the suite on the adapter `name`. */
export function buildRunnerSuite(name: string, open: OpenRunner): void {
  async function start(program: string, deployments: readonly string[]) {
    const plane = await openPlane();
    const runners = await open(plane.url, program);
    const runner = runners.runner();
    const refs = await Promise.all(deployments.map((deployment) => runner.start(build(deployment))));
    onTestFinished(async () => {
      for (const ref of refs) await expect.poll(() => runner.stop(ref), poll).toBe(true);
      for (const deployment of deployments) await runner.cleanUp(build(deployment));
    });
    await expect.poll(() => plane.told.length, poll).toBe(deployments.length);
    const pidOf = (deployment: string) =>
      plane.told.find((one) => one.SPHERE_DEPLOYMENT === deployment)?.pid as number;
    return { plane, runners, runner, refs, ref: refs[0] as RunnerRef, pidOf };
  }

  describe(`${name} as a BuildRunner`, () => {
    test('a builder is told which attempt it is, and runs', async () => {
      const { plane, runner, ref } = await start(working, ['dpl_a']);
      expect(plane.told[0]).toMatchObject({
        SPHERE_DEPLOYMENT: 'dpl_a',
        SPHERE_ATTEMPT: '1',
        SPHERE_BOOTSTRAP_TOKEN: 'token of dpl_a',
      });
      await expect.poll(() => stateOf(runner, ref), poll).toBe('running');
    });

    test('states come in the order of the question, and one that ends does not touch the others', async () => {
      const { runner, refs, pidOf } = await start(working, ['dpl_a', 'dpl_b', 'dpl_c']);
      process.kill(pidOf('dpl_b'), 'SIGKILL');
      const states = async () => (await runner.states(refs)).map(({ state }) => state);
      await expect.poll(states, poll).toEqual(['running', 'ended', 'running']);
      expect(await runner.states([])).toEqual([]);
    });

    test('a builder that was killed has ended for reasons of infrastructure, in a sentence', async () => {
      const { runner, ref, pidOf } = await start(working, ['dpl_a']);
      process.kill(pidOf('dpl_a'), 'SIGKILL');
      await expect.poll(() => stateOf(runner, ref), poll).toBe('ended');
      expect(await runner.states([ref])).toMatchObject([
        {
          reason: 'infrastructure',
          error: { code: 'INFRASTRUCTURE', message: expect.stringMatching(/^the builder was /) },
        },
      ]);
    });

    test('what another process has started is watched and stopped', async () => {
      const { runners, ref, pidOf } = await start(working, ['dpl_a']);
      const other = runners.runner();
      await expect.poll(() => stateOf(other, ref), poll).toBe('running');
      await expect.poll(() => other.stop(ref), poll).toBe(true);
      expect(isAlive(pidOf('dpl_a'))).toBe(false);
      expect(await stateOf(other, ref)).toBe('ended');
    });

    test('a builder that does not want to end is ended', async () => {
      const { runner, ref, pidOf } = await start(deaf, ['dpl_a']);
      await expect.poll(() => runner.stop(ref), poll).toBe(true);
      await expect.poll(() => isAlive(pidOf('dpl_a')), poll).toBe(false);
    });

    test('stopping what has ended is done at once, and again', async () => {
      const { runner, ref } = await start(working, ['dpl_a']);
      await expect.poll(() => runner.stop(ref), poll).toBe(true);
      expect(await runner.stop(ref)).toBe(true);
    });

    test('where an attempt starts once, any process that starts it again gets the same builder', async () => {
      const { plane, runners, ref } = await start(working, ['dpl_a']);
      if (!runners.runner().startsOnce) return;
      expect(await runners.runner().start(build('dpl_a'))).toEqual(ref);
      expect(plane.told).toHaveLength(1);
    });
  });
}
