/** Many followers of one deployment at 100 lines a second, on a real Redis: how late a line is, and what a follower costs. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { median } from './measure.mjs';
import { inTemporaryDirectory } from './sphere.mjs';

const seconds = 5;
const latencyGoal = 150;
const ratioGoal = 1.5;
const planeProgram = join(import.meta.dirname, '..', '..', 'dist', 'bench', 'follower-plane.mjs');

export async function* followerRows(runs) {
  await build({
    entryPoints: [join(import.meta.dirname, 'follower-plane.mjs')],
    outfile: planeProgram,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  const some = [];
  const many = [];
  const bare = [];
  for (let run = 0; run < Math.min(runs, 3); run++) {
    some.push(await measure('ours', 200));
    bare.push(await measure('bare', 1_000));
    many.push(await measure('ours', 1_000));
  }
  const p99 = median(some.map((run) => run.p99));
  yield {
    figure: '200 followers, 100 lines/s: 99th percentile of how late a line is',
    goal: `at most ${latencyGoal} ms`,
    measured: `${p99} ms`,
    pass: p99 <= latencyGoal,
  };
  const ratio = median(many.map((run, n) => run.p99 / bare[n].p99));
  const pair = `${median(many.map((run) => run.p99))} of ${median(bare.map((run) => run.p99))} ms`;
  yield {
    figure: '1,000 followers against bare Socket.IO of the same shape',
    goal: `at most ${ratioGoal} x`,
    measured: `${ratio.toFixed(2)} x (${pair})`,
    pass: ratio <= ratioGoal,
  };
  const share = (of) => `${Math.round(median(of.map((run) => run.processor)) * 100)} %`;
  yield {
    figure: 'processor of the plane with 1,000 followers, against bare',
    goal: 'reported',
    measured: `${share(many)} of ${share(bare)}`,
  };
  yield {
    figure: 'memory per follower, against bare',
    goal: 'reported',
    measured: `${kilobytes(many)} of ${kilobytes(bare)} kB`,
  };
}

const kilobytes = (of) => Math.round(median(of.map((run) => run.bytesPerFollower)) / 1000);

/** One log of `seconds` with `followers`, on a plane and a Redis of its own. */
function measure(kind, followers) {
  return inTemporaryDirectory(async (directory) => {
    const redis = await startRedis(directory);
    const plane = fork(planeProgram, [kind, redis.url], { execArgv: ['--expose-gc'] });
    const [{ port }] = await once(plane, 'message');
    const clients = fork(join(import.meta.dirname, 'follower-clients.mjs'), [String(port)]);
    try {
      const before = await ask(plane, {});
      await ask(clients, { followers });
      // A first second for what is done once: compiling, the first look at an empty log.
      await ask(plane, { seconds: 1 });
      await sleep(500);
      await ask(clients, { report: true });
      const after = await ask(plane, {});
      const end = await ask(plane, { seconds });
      // What is on its way still.
      await sleep(500);
      const { lines, p50, p99 } = await ask(clients, { report: true });
      const all = seconds * 100 * followers;
      if (lines !== all) throw new Error(`${lines} of ${all} lines arrived`);
      const used = (usage) => usage.processor.user + usage.processor.system;
      return {
        p50,
        p99,
        bytesPerFollower: (after.memory - before.memory) / followers,
        processor: (used(end) - used(after)) / 1e6 / seconds,
      };
    } finally {
      for (const child of [clients, plane, redis.child]) {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
    }
  });
}

async function ask(child, message) {
  child.send(message);
  const [answer] = await once(child, 'message');
  return answer;
}

async function startRedis(directory) {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  const settings = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', directory].map(String);
  const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('Ready to accept connections')) break;
  }
  child.stdout.resume();
  return { child, url: `redis://127.0.0.1:${port}` };
}
