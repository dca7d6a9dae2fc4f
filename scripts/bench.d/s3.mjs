/**
 * A site of 2,000 files to an S3 server that is 30 ms away: Sphere, which uploads blobs and publishes by copies, against
 * tools that write into the bucket directly, and against the bare requests. Needs Debian's awscli, rclone and Ceph.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { median, ratioRow, timed } from './measure.mjs';
import { inTemporaryDirectory } from './sphere.mjs';

const fileCount = 2000;
const latencyMs = 30;
const concurrency = 64;
const region = 'us-east-1';

export async function* s3Rows(runs) {
  const parts = await loadParts();
  const server = await parts.startServer();
  const proxy = await startProxy(server.port);
  const seen = {};
  const note = (name, ms) => {
    seen[name] ??= [];
    seen[name].push(ms);
  };
  try {
    await inTemporaryDirectory(async (directory) => {
      const files = join(directory, 'site');
      writeSite(files);
      const tools = createTools(server, proxy.endpoint, directory);
      await warmUp({ parts, server, files, tools });
      // As many rounds as are worth their time: one takes about a minute and a half.
      for (let round = 0; round < Math.min(runs, 3); round++) {
        await measureRound({ parts, server, endpoint: proxy.endpoint, files, tools, round, note });
      }
    });
  } finally {
    proxy.stop();
    await server.stop();
  }
  yield* rowsOf(Object.fromEntries(Object.entries(seen).map(([name, numbers]) => [name, median(numbers)])));
}

/** The server makes its pools on first use, and Node compiles what it runs often: both before anything is measured. */
async function warmUp({ parts, server, files, tools }) {
  await tools.makeBucket('bench-warm-up');
  await parts.raw(server, {
    endpoint: server.endpoint,
    bucket: 'bench-warm-up',
    directory: files,
    concurrency,
  });
  const store = parts.openStore(server, server.endpoint);
  const site = { project: 'prj_warm', slug: 'bench-warm-site', region, target: 'live' };
  await store.prepare(site);
  await parts.deploy(store, { site, directory: files, deployment: 'dpl_0', live: null, concurrency });
}

/** Each way once, into buckets of its own; then each again with nothing changed, and with one file changed. */
async function measureRound({ parts, server, endpoint, files, tools, round, note }) {
  const name = (what) => `bench-${what}-${round}`;
  const store = parts.openStore(server, endpoint);
  const site = { project: `prj_${round}`, slug: name('sphere'), region, target: 'live' };
  await store.prepare(site);
  const sphere = (deployment, live) =>
    parts.deploy(store, { site, directory: files, deployment, live, concurrency });

  const first = await sphere('dpl_1', null);
  note('sphere', first.all);
  note('sphere upload', first.upload);
  note('sphere publish', first.publish);
  await tools.makeBucket(name('raw'));
  note('raw', await parts.raw(server, { endpoint, bucket: name('raw'), directory: files, concurrency }));
  for (const tool of ['aws', 'rclone', 'rclone64']) {
    await tools.makeBucket(name(tool));
    note(tool, await tools[tool](files, name(tool)));
    note(`${tool} again`, await tools[tool](files, name(tool)));
  }
  note('sphere again', (await sphere('dpl_2', 'dpl_1')).all);
  appendFileSync(join(files, 'page-0.html'), `<!-- ${Date.now()} -->`);
  note('sphere changed', (await sphere('dpl_3', 'dpl_2')).all);
}

function* rowsOf(ms) {
  const what = `${fileCount} files, ${latencyMs} ms away`;
  yield ratioRow(`${what}: upload and publish, against aws s3 sync`, 0.5, ms.sphere, ms.aws);
  yield ratioRow(`${what}: against rclone copy`, 0.5, ms.sphere, ms.rclone);
  yield ratioRow(`${what}: against bare PUT and COPY, ${concurrency} at once`, 1.3, ms.sphere, ms.raw);
  const reported = (figure, measured) => ({ figure, goal: 'reported', measured });
  yield reported(
    `${what}: against rclone copy --transfers 64`,
    `${(ms.sphere / ms.rclone64).toFixed(2)} x (${Math.round(ms.sphere)} of ${Math.round(ms.rclone64)} ms)`,
  );
  yield reported(
    'of this, upload and publish',
    `${Math.round(ms['sphere upload'])} ms and ${Math.round(ms['sphere publish'])} ms`,
  );
  const again = ['aws', 'rclone', 'rclone64'].map((tool) => ms[`${tool} again`]);
  yield ratioRow('nothing changed, against the best of them', 1, ms['sphere again'], Math.min(...again));
  yield {
    figure: 'one file changed',
    goal: 'under 1000 ms',
    measured: `${Math.round(ms['sphere changed'])} ms`,
    pass: ms['sphere changed'] < 1000,
  };
}

/** Files of 1 to 60 KB, a tenth of them pages, the others assets with hashes in their names. */
function writeSite(directory) {
  mkdirSync(join(directory, 'assets'), { recursive: true });
  for (let n = 0; n < fileCount; n++) {
    const content = randomBytes(1024 + ((n * 7919) % (59 * 1024)));
    const path = n % 10 === 0 ? `page-${n}.html` : `assets/chunk-${randomBytes(4).toString('hex')}.js`;
    writeFileSync(join(directory, path), content);
  }
}

async function loadParts() {
  const root = join(import.meta.dirname, '..', '..');
  const outfile = join(root, 'node_modules', '.cache', 'bench', 's3-parts.mjs');
  await build({
    entryPoints: [join(root, 'test', 'bench', 's3-parts.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile,
    logLevel: 'error',
  });
  return import(pathToFileURL(outfile));
}

async function startProxy(port) {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'delay-proxy.mjs'), String(port), String(latencyMs)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
  return { endpoint: `http://127.0.0.1:${line.trim()}`, stop: () => child.kill() };
}

/** The tools with their defaults, on files and buckets. Milliseconds. */
function createTools(server, endpoint, directory) {
  const env = {
    // Nothing else: rclone refuses a machine's AWS_CA_BUNDLE.
    PATH: process.env.PATH,
    HOME: directory,
    AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    AWS_DEFAULT_REGION: region,
    AWS_CONFIG_FILE: join(directory, 'none'),
    RCLONE_CONFIG: join(directory, 'rclone.conf'),
    RCLONE_CONFIG_S3_TYPE: 's3',
    RCLONE_CONFIG_S3_PROVIDER: 'Ceph',
    RCLONE_CONFIG_S3_ENV_AUTH: 'true',
    RCLONE_CONFIG_S3_ENDPOINT: endpoint,
  };
  const run = async (program, ...args) => (await timed(program, args, { env })).ms;
  const aws = (at, ...args) => run('/usr/bin/aws', '--endpoint-url', at, ...args);
  const rclone = (files, bucket, ...more) => run('rclone', 'copy', '-q', ...more, files, `s3:${bucket}`);
  return {
    makeBucket: (bucket) => aws(server.endpoint, 's3', 'mb', `s3://${bucket}`),
    aws: (files, bucket) => aws(endpoint, 's3', 'sync', '--only-show-errors', files, `s3://${bucket}`),
    rclone: (files, bucket) => rclone(files, bucket),
    rclone64: (files, bucket) => rclone(files, bucket, '--transfers', '64'),
  };
}
