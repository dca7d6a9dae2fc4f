/** The hosted plane's configuration: read from the environment once, all problems at once, no secret in any of them. */
import { isIP } from 'node:net';
import type { TrustProvider } from '../contract/accounts-api.ts';
import {
  buildEnvironment,
  builderEnvironment,
  cliEnvironment,
  hostedEnvironment,
  serverEnvironment,
} from '../contract/environment.ts';
import { SphereError } from '../contract/errors.ts';
import { type AwsConfig, readAws } from './aws-config.ts';
import {
  address,
  createEnvironmentValues,
  type EnvironmentValues,
  nearest,
  withoutPassword,
} from './environment-values.ts';
import { readAdminToken, readKey, readPreviousKey } from './hosted-secrets.ts';
import type { Issuer } from './id-tokens.ts';
import type { Quotas } from './plane.ts';

export type HostedConfig = AwsConfig & {
  /** `url` goes to pg as it is, `sslmode` and all. `connections`: the size of the pool of one replica. */
  database: { url: string; connections: number };
  redis: { url: string };
  sites: 's3';
  builds: 'ecs';
  /** The origin under which people and builders reach the plane, without a slash at the end. */
  publicUrl: string;
  /** Port 0: any that is free. */
  listen: { host: string; port: number };
  /** The plane's key, 32 bytes, the same on every replica. */
  key: Buffer;
  /** The other key while the key is changed: it opens what it has sealed. */
  previousKey: Buffer | null;
  /** Null: to be made at the first start. */
  adminToken: string | null;
  maxBuilds: number;
  maxBuildsPerAccount: number;
  quotas: Quotas;
  /** From the claim of an attempt until it must have ended. */
  timeLimitMs: number;
  /** From the start of a builder's task until its program must have begun. */
  startLimitMs: number;
  leaseMs: number;
  maxLogBytes: number;
  /** For Express's `trust proxy`. */
  trustedProxies: string[];
  /** Of one token, and of one address that shows no token that counts. */
  requestsPerMinute: number;
  refusalsPerMinute: number;
  /** Hosts of repositories beside public ones, as `HOST` or `HOST:PORT`. */
  gitHosts: string[];
  /** Issuers of ID tokens beside those of github.com and gitlab.com. */
  oidcIssuers: Issuer[];
};

/** Reads the configuration of a hosted plane. Throws `CONFIGURATION_INVALID` naming every problem and what to set. */
export function readHostedConfig(environment: NodeJS.ProcessEnv): HostedConfig {
  const values = createEnvironmentValues(environment);
  const maxBuilds = values.whole('SPHERE_MAX_BUILDS', 20, 1, 5000);
  const config: HostedConfig = {
    database: {
      url: readDatabaseUrl(values),
      connections: values.whole('SPHERE_DATABASE_CONNECTIONS', 10, 2, 500),
    },
    redis: { url: readRedisUrl(values) },
    sites: values.choice('SPHERE_SITES', ['s3']),
    builds: values.choice('SPHERE_BUILDS', ['ecs']),
    publicUrl: values.read('SPHERE_PUBLIC_URL', {
      parse: parsePublicUrl,
      show: address,
      wants:
        'an https address without a path (http for this machine alone), such as https://sphere.example.com',
    }),
    listen: values.read('SPHERE_LISTEN', {
      parse: parseListen,
      wants: 'HOST:PORT, such as 127.0.0.1:3000',
      otherwise: { host: '127.0.0.1', port: 3000 },
    }),
    key: readKey(values),
    previousKey: readPreviousKey(values),
    adminToken: readAdminToken(values),
    ...readAws(values),
    maxBuilds,
    maxBuildsPerAccount: values.whole('SPHERE_MAX_BUILDS_PER_ACCOUNT', maxBuilds ?? 20, 1, 5000),
    quotas: {
      projects: values.whole('SPHERE_MAX_PROJECTS_PER_ACCOUNT', 500, 1, 100_000),
      previews: values.whole('SPHERE_MAX_PREVIEWS_PER_PROJECT', 50, 1, 10_000),
    },
    timeLimitMs: values.whole('SPHERE_BUILD_MINUTES', 45, 1, 360) * 60_000,
    startLimitMs: values.whole('SPHERE_START_MINUTES', 10, 1, 60) * 60_000,
    leaseMs: values.whole('SPHERE_LEASE_SECONDS', 30, 5, 300) * 1000,
    maxLogBytes: values.whole('SPHERE_MAX_LOG_BYTES', 200_000_000, 1_000, 10_000_000_000),
    trustedProxies: values.list('SPHERE_TRUSTED_PROXIES', {
      fits: isProxy,
      most: 50,
      wants: 'addresses, networks, loopback, linklocal or uniquelocal, such as loopback,10.0.0.0/8',
      otherwise: ['loopback'],
    }),
    requestsPerMinute: values.whole('SPHERE_REQUESTS_PER_MINUTE', 1200, 10, 1_000_000),
    refusalsPerMinute: values.whole('SPHERE_REFUSALS_PER_MINUTE', 60, 1, 1_000_000),
    gitHosts: (
      values.list('SPHERE_GIT_HOSTS', {
        fits: (part) => /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:]*:[0-9a-f:]*)(:\d{1,5})?$/i.test(part),
        most: 100,
        wants: 'hosts, each with a port or without, such as git.corp.example,10.0.0.5:8443',
        otherwise: [],
      }) ?? []
    ).map((host) => host.toLowerCase()),
    oidcIssuers: readIssuers(values),
  };
  const problems = [...values.problems, ...misspelt(environment)];
  if (problems.length === 0) return config;
  throw new SphereError('CONFIGURATION_INVALID', 'The configuration of the hosted plane is wrong.', {
    details: problems,
    hint: 'Set these variables and start it again; `sphere server check` looks at what they name. docs/reference.md lists all.',
  });
}

const sslModes = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];

function readDatabaseUrl(values: EnvironmentValues): string {
  const url = values.read('DATABASE_URL', {
    parse(text) {
      const parsed = URL.canParse(text) ? new URL(text) : null;
      if (!parsed || !/^postgres(ql)?:$/.test(parsed.protocol) || parsed.pathname.length < 2)
        return undefined;
      return parsed.hostname !== '' || parsed.searchParams.has('host') ? text : undefined;
    },
    show: withoutPassword,
    wants:
      'the address of a PostgreSQL database, such as postgres://sphere:PASSWORD@db.example.com:5432/sphere?sslmode=verify-full (escape what is special in the password: / is %2F)',
  });
  const mode = url === undefined ? null : new URL(url).searchParams.get('sslmode');
  if (mode !== null && !sslModes.includes(mode)) {
    values.problem(
      `DATABASE_URL has sslmode=${mode}; set it to ${nearest(mode, sslModes) ?? 'verify-full'} (it takes ${sslModes.join(', ')})`,
    );
  }
  return url;
}

const readRedisUrl = (values: EnvironmentValues) =>
  values.read('REDIS_URL', {
    parse(text) {
      const parsed = URL.canParse(text) ? new URL(text) : null;
      return parsed && /^rediss?:$/.test(parsed.protocol) && parsed.hostname !== '' ? text : undefined;
    },
    show: withoutPassword,
    wants: 'the address of a Redis server, such as rediss://:PASSWORD@redis.example.com:6379',
  });

/** This machine, by address or by a name that only this machine has. */
const isLoopback = (host: string) => /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost|.+\.localhost)$/.test(host);

function parsePublicUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))))
    return undefined;
  const more = `${url.username}${url.password}${url.search}${url.hash}`;
  return url.pathname === '/' && more === '' ? url.origin : undefined;
}

const parseIssuer = (text: string): Issuer | undefined => {
  const [, name, address] = /^(github|gitlab)=(.+)$/.exec(text) ?? [];
  const url = address !== undefined && URL.canParse(address) ? new URL(address) : null;
  if (!url || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))))
    return undefined;
  if (`${url.username}${url.password}${url.search}${url.hash}` !== '' || address?.endsWith('/'))
    return undefined;
  return { provider: name as TrustProvider, url: address as string, keys: null };
};

const readIssuers = (values: EnvironmentValues): Issuer[] =>
  values
    .list('SPHERE_OIDC_ISSUERS', {
      fits: (part) => parseIssuer(part) !== undefined,
      most: 20,
      wants:
        'issuers as github=ADDRESS or gitlab=ADDRESS, separated by commas, such as gitlab=https://gitlab.example.com',
      otherwise: [],
    })
    ?.map((part) => parseIssuer(part) as Issuer) ?? [];

function parseListen(text: string): { host: string; port: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  if (host === undefined || port > 65_535 || (bracketed !== undefined && isIP(bracketed) !== 6))
    return undefined;
  return { host, port };
}

function isProxy(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [host = '', bits, ...more] = text.split('/');
  const family = isIP(host);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

const known = Object.keys({
  ...hostedEnvironment,
  ...cliEnvironment,
  ...serverEnvironment,
  ...builderEnvironment,
  ...buildEnvironment,
});
const beginning = 'SPHERE_';

/**
 * Names that are nearly one of ours. Others are none of our business: Kubernetes sets `SPHERE_SERVICE_HOST` and the like
 * for a service called sphere.
 */
function misspelt(environment: NodeJS.ProcessEnv): string[] {
  const ours = known.filter((name) => name.startsWith(beginning)).map((name) => name.slice(beginning.length));
  return Object.keys(environment).flatMap((name) => {
    if (!name.startsWith(beginning) || known.includes(name)) return [];
    const meant = nearest(name.slice(beginning.length), ours);
    return meant === null
      ? []
      : [`${name} is a name that Sphere does not know; set ${beginning}${meant} instead`];
  });
}
