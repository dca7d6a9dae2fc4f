/** One repository: deployed as it is and, where that fails and its entry names settings, with them; then its site is opened. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cli, environmentFor, inTemporaryDirectory } from '../bench.d/sphere.mjs';
import { openSite, SiteProblem } from './browser.mjs';

/**
 * The result for `entry`. `copies`: a directory of bare copies, or null to clone. `limit`: for one deployment, such as
 * `15m`. Throws when the repository cannot be had, and when `signal` ends it.
 */
export async function tryRepository(entry, { copies, limit, signal }) {
  const { repository, commit, root } = entry;
  const wanted = [...(root === undefined ? [] : ['--root', root]), ...(entry.args ?? [])];
  return inTemporaryDirectory(async (directory) => {
    const source = copyIn(copies, repository) ?? clone(repository, join(directory, 'copy'));
    const ref = git(source, 'rev-parse', `${commit}^{commit}`);
    const hidden = [directory, source, ...(copies === null ? [] : [copies])];
    const attempt = (home, settings) =>
      deployAndOpen({ home: join(directory, home), source, ref, settings, limit, hidden, signal });
    const plain = await attempt('plain', []);
    const about = { repository, commit, ...(root === undefined ? {} : { root }) };
    if (plain.outcome === 'works' || wanted.length === 0) return { ...about, ...plain };
    return { ...about, ...(await attempt('set', wanted)), asItIs: plain.error };
  });
}

/** Deploys on a plane that has never deployed anything, and opens what it serves. */
async function deployAndOpen({ home, source, ref, settings, limit, hidden, signal }) {
  const env = environmentFor(home);
  const flags = ['--ref', ref, '--slug', 'compatibility', '--local', '--yes', '--timeout', limit];
  const started = performance.now();
  try {
    const answer = await sphere(env, ['deploy', '--repo', source, ...flags, ...settings, '--json'], signal);
    // Somebody else ended it: that says nothing about the repository.
    if (answer.error?.code === 'INTERRUPTED') throw new Error(answer.error.message);
    const seconds = Math.round((performance.now() - started) / 1000);
    const found = foundBy(answer.deployment, hidden);
    const about = { settings, ...found, seconds };
    if (answer.error !== undefined)
      return { outcome: 'fails', ...about, error: plainError(answer.error, hidden) };
    const { files, bytes } = answer.deployment.figures;
    const seen = await look(answer.address);
    return { outcome: seen.error === undefined ? 'works' : 'fails', ...about, files, bytes, ...seen };
  } finally {
    await stopPlane(env);
  }
}

/** Throws when the plane still runs after it was asked twice: a busy machine may need longer than one asking waits. */
async function stopPlane(env) {
  const stop = () => sphere(env, ['server', 'stop', '--yes', '--json']);
  const { error } = (await stop()).error === undefined ? {} : await stop();
  if (error !== undefined) throw new Error(error.message);
}

/** By its own address, because Node, unlike browsers, does not know *.localhost. */
async function look(address) {
  try {
    return await openSite(address);
  } catch (error) {
    if (error instanceof SiteProblem) return { error: { code: 'SITE', message: error.message } };
    throw error;
  }
}

/** What Sphere says that it found; null where it did not come so far. */
function foundBy(deployment, hidden) {
  const value = (what) => deployment?.detections.find((detection) => detection.what === what)?.value ?? null;
  const warnings = (deployment?.warnings ?? []).map((warning) => withoutMachine(warning, hidden));
  return {
    framework: value('framework'),
    packageManager: value('package manager'),
    // Where nothing asks for a version, the plane's own is used.
    node: value('build command') === null ? null : (value('Node') ?? process.versions.node),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

function plainError({ code, message, hint }, hidden) {
  const firstLine = (text) => withoutMachine(text.split('\n')[0], hidden);
  return { code, message: firstLine(message), ...(hint === undefined ? {} : { hint: firstLine(hint) }) };
}

/** Nothing of where this machine keeps things, or gets them from, belongs into a document. */
function withoutMachine(text, hidden) {
  const longestFirst = [...hidden].sort((one, other) => other.length - one.length);
  const plain = longestFirst.reduce((rest, path) => rest.replaceAll(path, '…'), text);
  return plain
    .replace(/https?:\/\/[^\s/'"`)]+/g, 'https://…')
    .replace(/\bregistry\.[\w.-]*\w/g, 'a registry');
}

function copyIn(copies, repository) {
  if (copies === null) return null;
  const path = join(copies, repository.replace('/', '+'), 'repo');
  return existsSync(path) ? path : null;
}

function clone(repository, into) {
  execFileSync('git', ['clone', '-q', '--bare', `https://github.com/${repository}`, into], {
    stdio: 'inherit',
  });
  return into;
}

function git(directory, ...args) {
  return execFileSync('git', ['-C', directory, ...args], { encoding: 'utf8' }).trim();
}

/** Runs a command of Sphere with `--json` and returns what it printed, also when it fails. Its log goes to stderr. */
async function sphere(env, args, signal) {
  const stdio = ['ignore', 'pipe', 'inherit'];
  const child = spawn(process.execPath, [cli, ...args], { env, stdio, signal, killSignal: 'SIGINT' });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  const [code] = await once(child, 'close');
  if (stdout === '') throw new Error(`sphere ${args[0]} ended with ${code} and printed nothing`);
  return JSON.parse(stdout);
}
