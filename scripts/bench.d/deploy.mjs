/** A Vite React app from its repository to a served site: by Sphere, and by hand as anybody would. */
import { appendFileSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { median, ratioRow, timed } from './measure.mjs';
import { cli, environmentFor, inTemporaryDirectory, startPlane } from './sphere.mjs';

const example = join(import.meta.dirname, '..', '..', 'examples', 'vite-react');
const git = (cwd, ...args) =>
  timed('git', ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost', ...args], { cwd });

export async function* deployRows(runs) {
  const seen = { hand: [], cold: [], first: [], changed: [], unchanged: [] };
  await inTemporaryDirectory(async (directory) => {
    const repository = join(directory, 'app');
    cpSync(example, repository, {
      recursive: true,
      filter: (path) => !/[/\\](node_modules|dist)$/.test(path),
    });
    await git(repository, 'init', '-q', '-b', 'main');
    await commit(repository);
    // Both find npm's download cache warm, and neither finds anything else.
    await byHand(join(directory, 'warm-up'), repository);
    for (let run = 0; run < runs; run++) {
      await inTemporaryDirectory(async (fresh) => {
        seen.hand.push(await byHand(fresh, repository));
        await bySphere(join(fresh, 'home'), repository, seen);
      });
    }
  });
  const { hand, cold, first, changed, unchanged } = Object.fromEntries(
    Object.entries(seen).map(([name, numbers]) => [name, median(numbers)]),
  );
  yield ratioRow('first deploy of a Vite React app, against by hand', 1, first, hand);
  yield { figure: "the plane's cold start, beside it", goal: 'reported', measured: `${Math.round(cold)} ms` };
  yield ratioRow('the same with one source line changed', 0.45, changed, hand);
  yield ratioRow('the same with nothing changed', 0.15, unchanged, hand);
}

/** Clone, install from a warm cache, build, copy. */
async function byHand(directory, repository) {
  const work = join(directory, 'work');
  const steps = [
    ['git', ['clone', '-q', repository, work], {}],
    ['npm', ['ci', '--no-audit', '--no-fund'], { cwd: work }],
    ['npm', ['run', 'build'], { cwd: work }],
    ['cp', ['-r', join(work, 'dist'), join(directory, 'site')], {}],
  ];
  let ms = 0;
  for (const [command, args, options] of steps) ms += (await timed(command, args, options)).ms;
  return ms;
}

/** Three deploys on a plane that has never deployed anything, and that runs already. */
async function bySphere(home, repository, seen) {
  const plane = await startPlane(home);
  seen.cold.push(plane.ms);
  const deploy = async () => {
    const args = [cli, 'deploy', '--local', '--repo', repository, '--slug', 'bench-app'];
    return (await timed(process.execPath, args, { cwd: home, env: environmentFor(home) })).ms;
  };
  try {
    seen.first.push(await deploy());
    appendFileSync(join(repository, 'src', 'main.jsx'), `globalThis.changed = ${Date.now()};\n`);
    await commit(repository);
    seen.changed.push(await deploy());
    seen.unchanged.push(await deploy());
  } finally {
    await plane.stop();
  }
}

async function commit(repository) {
  await git(repository, 'add', '-A');
  await git(repository, 'commit', '-q', '-m', 'change');
}
