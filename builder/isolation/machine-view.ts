/**
 * What isolated commands see of this machine: its programs, what these need of /etc, and the directories of the build. The
 * user's home, the plane's data directory with its token, other projects' files, and sockets (Docker, D-Bus) are not among it.
 */
import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join, sep } from 'node:path';
import type { Mount } from './bubblewrap.ts';

type Machine = Record<string, string | undefined>;

/** Links into /usr on most systems, directories of their own on others. */
const topDirectories = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** Packages of NixOS and Guix, which programs in their PATH link to. */
const packageStores = ['/nix/store', '/gnu/store'];

/** How names and certificates are found, which time zone it is, what libraries are where. No accounts, keys or passwords. */
const configuration = [
  ...['resolv.conf', 'hosts', 'host.conf', 'gai.conf', 'nsswitch.conf', 'protocols', 'services'],
  ...['ssl/certs', 'ssl/cert.pem', 'ssl/openssl.cnf', 'ca-certificates', 'ca-certificates.conf'],
  ...['pki/tls/certs', 'pki/tls/openssl.cnf', 'pki/ca-trust', 'crypto-policies'],
  ...['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'alternatives', 'localtime', 'timezone', 'locale.conf'],
  ...['os-release', 'debian_version', 'lsb-release', 'mime.types', 'fonts', 'static'],
].map((name) => join('/etc', name));

/** Names of the environment whose values are files or directories of certificates. */
const certificateNames =
  /^(?:NODE_EXTRA_CA_CERTS|SSL_CERT_(?:FILE|DIR)|NIX_SSL_CERT_FILE|GIT_SSL_CAINFO|GIT_SSL_CAPATH|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|AWS_CA_BUNDLE|npm_config_cafile|yarn_https_ca_file_path)$/i;

export type Places = {
  /** Of this attempt: the source, its home, temporary files. */
  work: string;
  /** Of the machine: tools, and what must not be seen. */
  cache: string;
  /** The home of the commands, in `work`. */
  home: string;
  /** What programs keep in `~/.cache`, from one deployment to the next. */
  homeCache: string;
  /** Directories with git objects that the source borrows. */
  objects: readonly string[];
  /** Files and directories that settings name. */
  named: readonly string[];
  /** /etc/passwd and /etc/group as the commands see them. */
  accounts: { passwd: string; group: string };
};

/** `machine` is the environment; `node` the program that runs the builder. */
export function mountsFor(machine: Machine, node: string, places: Places): Mount[] {
  const read = (path: string): Mount => ({ kind: 'read', from: path, at: path });
  const write = (path: string): Mount => ({ kind: 'write', from: path, at: path });
  return [
    read('/usr'),
    ...topDirectories.map((name) => asItIs(join('/', name))).filter((mount) => mount !== null),
    ...[...packageStores, ...configuration].filter(existsSync).map(read),
    { kind: 'read', from: places.accounts.passwd, at: '/etc/passwd' },
    { kind: 'read', from: places.accounts.group, at: '/etc/group' },
    // On the disk, whose space is watched, and not in memory.
    { kind: 'write', from: join(places.work, 'tmp'), at: '/tmp' },
    { kind: 'link', to: '/tmp', at: '/var/tmp' },
    ...[...programDirectories(machine, node), ...certificates(machine), ...places.named]
      .filter((path) => maySee(path, machine, places))
      .map(read),
    ...[join(places.cache, 'tools'), ...places.objects.filter(existsSync)].map(read),
    write(places.work),
    { kind: 'write', from: places.homeCache, at: join(places.home, '.cache') },
  ];
}

function asItIs(path: string): Mount | null {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  if (found.isSymbolicLink()) return { kind: 'link', to: readlinkSync(path), at: path };
  return { kind: 'read', from: path, at: path };
}

/** Of the PATH and of Node, with the packages of npm, which lie beside its programs. */
function programDirectories(machine: Machine, node: string): string[] {
  const directories = [dirname(node), ...(machine.PATH ?? '').split(delimiter)].filter(isAbsolute);
  return [...new Set(directories)].flatMap((at) => [at, join(at, '..', 'lib', 'node_modules')]);
}

function certificates(machine: Machine): string[] {
  return Object.entries(machine).flatMap(([name, value]) =>
    certificateNames.test(name) && value !== undefined && isAbsolute(value) ? [value] : [],
  );
}

/** False for what is not there, is given anyway, or holds the user's home or what the plane keeps. */
function maySee(path: string, machine: Machine, { work, cache }: Places): boolean {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return false;
  }
  if (['/usr', work, cache].some((seen) => holds(resolved(seen), real))) return false;
  const hidden = [machine.HOME ?? '/root', work, cache, dirname(cache)];
  return !hidden.some((directory) => holds(real, resolved(directory)));
}

function resolved(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

/** Whether `inner` is `directory` or below it. */
function holds(directory: string, inner: string): boolean {
  return inner === directory || inner.startsWith(directory === sep ? sep : directory + sep);
}
