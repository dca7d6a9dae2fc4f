/**
 * A real S3 server for tests: Ceph's radosgw from Debian with one monitor and one store in memory. It checks signatures
 * and policies, and serves websites by Host. Takes 10 to 20 s to start.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const run = promisify(execFile);

export type Radosgw = {
  port: number;
  /** `http://127.0.0.1:<port>`; buckets are paths below it. */
  endpoint: string;
  /** A website answers at this Host. */
  websiteHost(bucket: string): string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** Another user's, to whom nothing of the first belongs. */
  stranger: { accessKeyId: string; secretAccessKey: string };
  stop(): Promise<void>;
};

/** Starts one; everything listens on 127.0.0.1 and lies in a temporary directory of its own. */
export async function startRadosgw(): Promise<Radosgw> {
  const directory = await mkdtemp(join(tmpdir(), 'sphere-radosgw-'));
  const [monPort, port] = [await freePort(), await freePort()];
  const started: ChildProcess[] = [];
  const conf = join(directory, 'ceph.conf');
  const fsid = randomUUID();
  await writeFile(conf, configuration({ directory, fsid, monPort, port }));
  for (const part of ['mon', 'osd', 'rgw', 'run']) await mkdir(join(directory, part));

  const ceph = (program: string, ...args: string[]) =>
    run(program, ['-c', conf, ...args], { maxBuffer: 16 * 1024 ** 2, timeout: 60_000 });
  const daemon = (program: string, ...args: string[]) => {
    const log = openSync(join(directory, `${program}.out`), 'a');
    started.push(spawn(program, ['-c', conf, '-f', ...args], { stdio: ['ignore', log, log] }));
    closeSync(log);
  };
  // A test process that is ended in the middle leaves nothing behind.
  const killAll = () => {
    for (const child of started) child.kill('SIGKILL');
  };
  process.once('exit', killAll);
  const stop = async () => {
    process.off('exit', killAll);
    for (const child of started.reverse()) await end(child);
    await rm(directory, { recursive: true, force: true });
  };

  try {
    await startMonitor({ directory, fsid, monPort }, ceph, daemon);
    await startStore(directory, ceph, daemon);
    await startGateway(directory, ceph, daemon, port);
    const owner = await addUser(ceph, 'sphere');
    const stranger = await addUser(ceph, 'stranger');
    return {
      port,
      endpoint: `http://127.0.0.1:${port}`,
      websiteHost: (bucket) => `${bucket}.web.localhost`,
      credentials: owner,
      stranger,
      stop,
    };
  } catch (error) {
    const said = await Promise.all(
      ['ceph-mon', 'ceph-osd', 'radosgw'].map((name) =>
        readFile(join(directory, `${name}.out`), 'utf8').catch(() => ''),
      ),
    );
    await stop();
    throw new Error(`radosgw did not start\n${said.map((text) => text.slice(-2000)).join('\n')}`, {
      cause: error,
    });
  }
}

type Run = (program: string, ...args: string[]) => Promise<{ stdout: string }>;
type Daemon = (program: string, ...args: string[]) => void;

function configuration(at: { directory: string; fsid: string; monPort: number; port: number }): string {
  const { directory, fsid, monPort, port } = at;
  return `[global]
fsid = ${fsid}
mon_initial_members = a
mon_host = v2:127.0.0.1:${monPort}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = ${directory}/admin.keyring
run_dir = ${directory}/run
admin_socket = ${directory}/run/$name.asok
pid_file = ${directory}/run/$name.pid
log_file = /dev/null
log_to_stderr = true
err_to_stderr = true
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
[mon]
mon_data = ${directory}/mon
[osd]
osd_data = ${directory}/osd
keyring = ${directory}/osd/keyring
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_op_num_shards = 2
[client.rgw]
keyring = ${directory}/rgw/keyring
rgw_frontends = beast endpoint=127.0.0.1:${port}
rgw_dns_name = s3.localhost
rgw_dns_s3website_name = web.localhost
rgw_enable_static_website = true
rgw_enable_apis = s3,s3website,admin
rgw_thread_pool_size = 128
`;
}

async function startMonitor(
  { directory, fsid, monPort }: { directory: string; fsid: string; monPort: number },
  ceph: Run,
  daemon: Daemon,
): Promise<void> {
  const admin = join(directory, 'admin.keyring');
  const mon = join(directory, 'mon.keyring');
  const key = (file: string, name: string, ...caps: string[]) =>
    run('ceph-authtool', ['--create-keyring', file, '--gen-key', '-n', name, ...caps]);
  await key(mon, 'mon.', '--cap', 'mon', 'allow *');
  await key(
    admin,
    'client.admin',
    ...['mon', 'osd', 'mgr'].flatMap((service) => ['--cap', service, 'allow *']),
  );
  await run('ceph-authtool', [mon, '--import-keyring', admin]);
  const map = join(directory, 'monmap');
  await run('monmaptool', [
    '--create',
    '--addv',
    'a',
    `[v2:127.0.0.1:${monPort}]`,
    '--fsid',
    fsid,
    '--set-min-mon-release',
    'pacific',
    map,
  ]);
  await ceph('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map, '--keyring', mon);
  daemon('ceph-mon', '-i', 'a');
  await ceph('ceph', '--connect-timeout', '30', 'mon', 'stat');
}

async function startStore(directory: string, ceph: Run, daemon: Daemon): Promise<void> {
  const uuid = randomUUID();
  const secret = (await run('ceph-authtool', ['--gen-print-key'])).stdout.trim();
  const secretFile = join(directory, 'osd-secret.json');
  await writeFile(secretFile, JSON.stringify({ cephx_secret: secret }));
  const keyring = join(directory, 'osd', 'keyring');
  await run('ceph-authtool', ['--create-keyring', keyring, '--name', 'osd.0', '--add-key', secret]);
  await ceph('ceph', 'osd', 'new', uuid, '-i', secretFile);
  await ceph('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', uuid);
  await ceph('ceph', 'osd', 'crush', 'add', 'osd.0', '1', 'root=default');
  daemon('ceph-osd', '-i', '0');
}

async function startGateway(directory: string, ceph: Run, daemon: Daemon, port: number): Promise<void> {
  const keyring = join(directory, 'rgw', 'keyring');
  await ceph(
    'ceph',
    'auth',
    'get-or-create',
    'client.rgw',
    'mon',
    'allow rw',
    'osd',
    'allow rwx',
    '-o',
    keyring,
  );
  daemon('radosgw', '-n', 'client.rgw');
  const deadline = Date.now() + 60_000;
  while (!(await answers(port))) {
    if (Date.now() > deadline) throw new Error('radosgw does not answer');
    await wait(100);
  }
}

async function addUser(ceph: Run, uid: string) {
  const accessKeyId = `AKIA${uid.toUpperCase()}`;
  const secretAccessKey = `${uid}-secret-for-tests`;
  await ceph(
    'radosgw-admin',
    '-n',
    'client.admin',
    'user',
    'create',
    `--uid=${uid}`,
    `--display-name=${uid}`,
    `--access-key=${accessKeyId}`,
    `--secret-key=${secretAccessKey}`,
    '--max-buckets=0',
  );
  return { accessKeyId, secretAccessKey };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.resume().once('end', () => resolve(true));
    });
    asked.once('error', () => resolve(false));
    asked.end();
  });
}

/** Everything is in memory: nothing is lost by ending it at once. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
