/** How long the CLI takes to say its version and its help, against Node doing nothing. */
import { interleaved, ratioRow, timed } from './measure.mjs';
import { cli, environmentFor, inTemporaryDirectory } from './sphere.mjs';

export async function* startRows(runs) {
  const times = await inTemporaryDirectory((home) => {
    const env = environmentFor(home, { bare: true });
    const node = (...args) => timed(process.execPath, args, { env }).then(({ ms }) => ms);
    return interleaved(Math.max(runs, 15), {
      nothing: () => node('-e', '0'),
      version: () => node(cli, '--version'),
      help: () => node(cli, '--help'),
      deployHelp: () => node(cli, 'deploy', '--help'),
    });
  });
  yield ratioRow('`sphere --version` against `node -e 0`', 1.3, times.version, times.nothing);
  yield ratioRow('`sphere --help`', 1.7, times.help, times.nothing);
  yield ratioRow('`sphere deploy --help`', 1.7, times.deployHelp, times.nothing);
}
