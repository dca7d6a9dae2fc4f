/** What the package brings along when it is installed. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { timed } from './measure.mjs';
import { inTemporaryDirectory } from './sphere.mjs';

export async function* installRows() {
  yield* await inTemporaryDirectory(async (directory) => {
    const packed = await timed('npm', [
      'pack',
      '--json',
      '--ignore-scripts',
      '--pack-destination',
      directory,
    ]);
    const [{ filename }] = JSON.parse(packed.stdout);
    await timed('npm', [
      'install',
      '--no-audit',
      '--no-fund',
      '--prefix',
      directory,
      join(directory, filename),
    ]);
    const listed = await timed('npm', ['ls', '--all', '--parseable', '--prefix', directory]);
    const packages = listed.stdout.trim().split('\n').length - 1;
    const mb = bytesIn(join(directory, 'node_modules')) / 1e6;
    return [
      { figure: 'packages installed', goal: 'at most 5', measured: `${packages}`, pass: packages <= 5 },
      { figure: 'MB on disk', goal: 'at most 35', measured: mb.toFixed(1), pass: mb <= 35 },
    ];
  });
}

function bytesIn(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size, 0);
}
