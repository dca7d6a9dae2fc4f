/** Plays a session in a terminal, and writes what was to be seen as an animated SVG. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { renderSvg } from './svg.mjs';
import { openTerminal } from './terminal.mjs';

const [file = 'docs/deploy.svg'] = process.argv.slice(2);
const cli = path.resolve('dist/cli/main.cjs');
const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'you-')));
const site = path.join(root, 'shop');
const bin = path.join(root, 'bin');
// As wide as the longest line, so that none is broken where a path of this machine is longer than what is shown.
const size = { columns: 104, rows: 24 };

// The site as somebody has it: in its own directory, with nothing built or installed.
cpSync('examples/vite-react', site, {
  recursive: true,
  filter: (source) => !/(?:^|\/)(?:node_modules|dist)$/.test(source),
});
const manifest = path.join(site, 'package.json');
writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"vite-react"', '"shop"'));
mkdirSync(bin);
writeFileSync(path.join(bin, 'sphere'), `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`, {
  mode: 0o755,
});
const environment = {
  PATH: `${bin}:${process.env.PATH}`,
  HOME: root,
  LANG: 'C.UTF-8',
  TERM: 'xterm-256color',
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(NODE_EXTRA_CA_CERTS|npm_config_.*|https?_proxy|no_proxy)$/i.test(name),
    ),
  ),
};

const terminal = openTerminal({ directory: site, environment, size, socket: path.join(root, 'tmux') });
try {
  await terminal.run('sphere deploy');
  await terminal.run(`sed -i 's/Vite + React/Our shop/' index.html`);
  await terminal.run('sphere deploy');
  await terminal.run('sphere ls shop');
  await terminal.pause(4_000);
} finally {
  terminal.close();
  execFileSync(process.execPath, [cli, 'server', 'stop', '--yes'], { env: environment, stdio: 'ignore' });
}
// Where this machine has its temporary files is nobody's business.
const frames = terminal.frames.map(({ at, screen }) => ({
  at,
  screen: screen.replaceAll(root, '/home/you'),
}));
rmSync(root, { recursive: true, force: true });
writeFileSync(file, renderSvg(frames, size));
process.stderr.write(`${file}: ${frames.length} frames\n`);
