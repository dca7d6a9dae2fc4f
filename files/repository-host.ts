/**
 * Whether a hosted plane may connect to a repository's host: never to a private address, however it is written, unless
 * the team has named the host. The name is resolved once, and what was checked is what is connected to.
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { SphereError } from '../contract/errors.ts';
import type { Repository } from './repository-url.ts';

/** A host and the addresses that were checked, for a program that is to use them and no others. */
export type PinnedHost = {
  transport: 'https' | 'http' | 'ssh';
  host: string;
  port: number;
  addresses: string[];
};

export type Lookup = (host: string) => Promise<string[]>;

/** What is not the public Internet: the special-purpose registries of IANA (RFC 6890 and its successors). */
const notPublic = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier-grade NAT
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local, where clouds keep their metadata
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4],
] as const)
  notPublic.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['2001::', 23], // Teredo and other protocols
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4, which wraps any IPv4 address
  ['3fff::', 20],
] as const)
  notPublic.addSubnet(network, bits, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');
const wrapped = new BlockList();
wrapped.addSubnet('::ffff:0:0', 96, 'ipv6');
wrapped.addSubnet('64:ff9b::', 96, 'ipv6'); // NAT64

/** Whether `address` is one of the public Internet. IPv6 addresses that wrap one of IPv4 are what they wrap. */
export function isPublicAddress(address: string): boolean {
  const plain = address.replace(/%.*$/, '');
  if (isIP(plain) === 4) return !notPublic.check(plain, 'ipv4');
  if (isIP(plain) !== 6) return false;
  if (wrapped.check(plain, 'ipv6')) return isPublicAddress(lastFourBytes(plain));
  return globalUnicast.check(plain, 'ipv6') && !notPublic.check(plain, 'ipv6');
}

function lastFourBytes(address: string): string {
  const dotted = /[\d.]+$/.exec(address)?.[0] ?? '';
  if (isIP(dotted) === 4) return dotted;
  // As the URL parser writes it: without dots, and the last two groups in full where they are not zero.
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(':');
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group || '0', 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** Names that mean this machine or its network, wherever they are resolved. */
const localName =
  /(^|\.)(localhost|local|internal|intranet|lan|home|corp|home\.arpa|in-addr\.arpa|ip6\.arpa)$/;

/**
 * What can be known without asking anybody. `hosts`: those that the team has named, as `HOST` or `HOST:PORT`. Throws
 * `SOURCE_REFUSED`.
 */
export function checkRepositoryHost(repository: Repository, hosts: readonly string[]): void {
  const place = placeOf(repository);
  if (place === null || isNamed(place, hosts)) return;
  const { host } = place;
  // Programs read 0x7f.1 and 2130706433 as addresses; a name on the Internet has a letter in its last part, and a dot.
  const looksLikeName = /\.[a-z][a-z0-9-]*$/i.test(host) && !/(^|\.)0x[0-9a-f]*$/i.test(host);
  const fits = isIP(host) === 0 ? looksLikeName && !localName.test(host) : isPublicAddress(host);
  if (!fits) throw notPublicHost(host);
}

/**
 * Resolves the host, and checks every address that it has. Null: the host is the team's own, or there is none to pin.
 * Throws `SOURCE_REFUSED`, `SOURCE_UNAVAILABLE`.
 */
export async function pinRepositoryHost(
  repository: Repository,
  hosts: readonly string[],
  lookup: Lookup = lookupAll,
): Promise<PinnedHost | null> {
  checkRepositoryHost(repository, hosts);
  const place = placeOf(repository);
  if (place === null || isNamed(place, hosts)) return null;
  const { host } = place;
  if (isIP(host) !== 0) return { ...place, addresses: [host] };
  const addresses = await lookup(host).catch((cause: Error) => {
    throw new SphereError('SOURCE_UNAVAILABLE', `The host ${host} of the repository cannot be found.`, {
      hint: 'Check the address of the repository.',
      cause,
    });
  });
  const wrong = addresses.find((address) => !isPublicAddress(address));
  if (addresses.length > 0 && wrong === undefined) return { ...place, addresses };
  throw notPublicHost(`${host}${wrong === undefined ? '' : `, which is ${wrong},`}`);
}

const lookupAll: Lookup = async (host) =>
  (await dnsLookup(host, { all: true })).map(({ address }) => address);

/** `lookup`, which asks for a name no more than once: what it was at first is what was checked. */
export function lookupOnce(lookup: Lookup = lookupAll): Lookup {
  const asked = new Map<string, Promise<string[]>>();
  return (host) => {
    const answer = asked.get(host) ?? lookup(host);
    asked.set(host, answer);
    return answer;
  };
}

const ports = { https: 443, http: 80, ssh: 22 } as const;

function placeOf({ transport, host }: Repository): Omit<PinnedHost, 'addresses'> | null {
  if (transport === 'file' || host === null) return null;
  const [, name = '', digits] = /^(\[[^\]]+\]|[^:]*)(?::(\d+))?$/.exec(host) ?? [];
  const plain = name.toLowerCase().replace(/^\[|\]$/g, '');
  return { transport, host: plain, port: digits === undefined ? ports[transport] : Number(digits) };
}

const isNamed = ({ host, port }: { host: string; port: number }, hosts: readonly string[]) =>
  hosts.some((named) => named === host || named === `${host}:${port}`);

const notPublicHost = (host: string) =>
  new SphereError('SOURCE_REFUSED', `The repository's host ${host} is not on the public Internet.`, {
    hint: 'Whoever runs the plane can allow a host of their own in SPHERE_GIT_HOSTS.',
  });
