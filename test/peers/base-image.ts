/**
 * Stands in for the image of Node that Dockerfile.builder begins with, because no registry of images can be reached from
 * here: Debian by debootstrap, Node from the npm package of the same version, npm beside it as the real image has it.
 */
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Docker } from './docker.ts';

const run = promisify(execFile);

/** Made once a machine, in 40 s or so. Raise the number when the recipe below changes. */
const recipe = 1;
const kept = resolve('node_modules/.cache/base-images');

/** Where the trust store of this machine is put for the programs of the image, when it has one that Node must be told of. */
const trustedFile = '/usr/local/share/test-trusted.pem';

/** Imports the base under the name that the Dockerfile uses by default. */
export async function importBaseImage(docker: Docker, dockerfile: string): Promise<void> {
  const [, name = '', version = ''] =
    /^ARG BASE_IMAGE=(node:(\d+\.\d+\.\d+)-bookworm-slim)$/m.exec(readFileSync(dockerfile, 'utf8')) ?? [];
  if (name === '') throw new Error(`${dockerfile} names no base image of a known kind`);
  const archive = join(kept, `node-${version}-${recipe}.tar`);
  if (!existsSync(archive)) await makeArchive(archive, version);
  const environment = await machineEnvironment();
  const changes = Object.entries(environment).flatMap(([key, value]) => ['--change', `ENV ${key}=${value}`]);
  await docker.run('import', ...changes, archive, name);
}

async function makeArchive(archive: string, version: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'sphere-base-'));
  const root = join(work, 'root');
  const tools = join(work, 'tools');
  try {
    const node = `node-linux-${process.arch}`;
    const install = ['install', '--prefix', tools, '--no-audit', '--no-fund', `${node}@${version}`, 'npm@11'];
    await Promise.all([
      run('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', root]),
      run('npm', install),
    ]);
    const modules = join(root, 'usr/local/lib/node_modules');
    const programs = join(root, 'usr/local/bin');
    mkdirSync(modules, { recursive: true });
    copyFileSync(join(tools, 'node_modules', node, 'bin/node'), join(programs, 'node'));
    await cp(join(tools, 'node_modules/npm'), join(modules, 'npm'), { recursive: true });
    for (const name of ['npm', 'npx']) {
      symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(programs, name));
    }
    const trusted = process.env.NODE_EXTRA_CA_CERTS;
    if (trusted !== undefined) copyFileSync(trusted, join(root, trustedFile));
    await rm(root, 'var/cache/apt/archives', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/locale');
    mkdirSync(kept, { recursive: true });
    const made = `${archive}.${process.pid}`;
    await run('tar', ['-C', root, '-cf', made, '.']);
    renameSync(made, archive);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function rm(root: string, ...paths: string[]): Promise<void> {
  for (const path of paths) rmSync(join(root, path), { recursive: true, force: true });
}

/** How this machine reaches its npm registry; nothing but the registry's own address on most. */
async function machineEnvironment(): Promise<Record<string, string>> {
  const { stdout } = await run('npm', ['config', 'get', 'registry']);
  return {
    npm_config_registry: stdout.trim(),
    ...(process.env.NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS: trustedFile }),
  };
}
