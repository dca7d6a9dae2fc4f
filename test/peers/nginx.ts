/** Starts Debian's Nginx for tests with infra/nginx/sphere.conf itself: only ports, certificate and replicas are filled in. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export type Nginx = {
  /** The plane's address: `https://localhost:PORT`. */
  url: string;
  httpUrl: string;
  /** The certificate by which the address is trusted: for NODE_EXTRA_CA_CERTS, or `ca` of a request. */
  certificateFile: string;
  /** Nginx's error log so far. */
  log(): string;
  stop(): Promise<void>;
};

const program = '/usr/sbin/nginx';

/** `replicas`: host:port of two planes, running or not. */
export async function startNginx(replicas: readonly [string, string]): Promise<Nginx> {
  if (!existsSync(program)) throw new Error(`no ${program}: apt-get install nginx`);
  const directory = mkdtempSync(join(tmpdir(), 'sphere-nginx-'));
  for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) mkdirSync(join(directory, name));
  const [certificate, key] = makeCertificate(directory);
  const [http, https] = [await freePort(), await freePort()];
  const filled = fillIn(readFileSync(resolve('infra/nginx/sphere.conf'), 'utf8'), {
    SPHERE_HOST: 'localhost',
    SPHERE_HTTP: `127.0.0.1:${http}`,
    SPHERE_HTTPS: `127.0.0.1:${https}`,
    SPHERE_CERTIFICATE: certificate,
    SPHERE_CERTIFICATE_KEY: key,
    SPHERE_REPLICA_1: replicas[0],
    SPHERE_REPLICA_2: replicas[1],
  });
  writeFileSync(join(directory, 'sphere.conf'), filled);
  writeFileSync(join(directory, 'nginx.conf'), surroundings(directory));
  const configuration = ['-p', directory, '-c', join(directory, 'nginx.conf')];
  execFileSync(program, [...configuration, '-t', '-q'], { stdio: ['ignore', 'inherit', 'inherit'] });
  const server = spawn(program, configuration, { stdio: 'ignore' });
  await listening(server, https);
  return {
    url: `https://localhost:${https}`,
    httpUrl: `http://localhost:${http}`,
    certificateFile: certificate,
    log: () => readFileSync(join(directory, 'error.log'), 'utf8'),
    async stop() {
      if (server.exitCode === null) {
        const ended = new Promise((done) => server.once('exit', done));
        server.kill('SIGTERM');
        await ended;
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** As envsubst does for these names alone. */
export function fillIn(template: string, values: Record<string, string>): string {
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replaceAll(`\${${name}}`, value),
    template,
  );
}

/** What Debian's own nginx.conf has around it, with every path in the test's directory. */
function surroundings(directory: string): string {
  return `
daemon off;
# Debian's workers own the directories that Nginx buffers in; here whoever runs the tests does.
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 2;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log info;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  include ${directory}/sphere.conf;
}
`;
}

function makeCertificate(directory: string): [certificate: string, key: string] {
  const [certificate, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  execFileSync(
    'openssl',
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', '/CN=localhost', '-addext', names, '-out', certificate, '-keyout', key],
    ],
    { stdio: 'ignore' },
  );
  return [certificate, key];
}

async function listening(server: ChildProcess, port: number): Promise<void> {
  const answers = () =>
    new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('error', () => done(false));
      socket.once('connect', () => {
        socket.destroy();
        done(true);
      });
    });
  for (const deadline = Date.now() + 10_000; !(await answers()); await delay(20)) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error('nginx did not start');
  }
}
