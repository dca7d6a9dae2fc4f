/** `sphere server check`: Redis is there, new enough, and drops nothing when its memory is full. */
import { Redis } from 'ioredis';
import type { Check } from '../check.ts';
import { describeError } from './run-checks.ts';

const leastVersion = 7;

/** Looks at the Redis server at `url`. */
export async function checkRedis(url: string): Promise<Check[]> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 10_000,
    maxRetriesPerRequest: 0,
    // ioredis would retry for ever, a refused login, too.
    retryStrategy: () => null,
  });
  let broken: unknown;
  client.on('error', (error) => {
    broken ??= error;
  });
  try {
    await client.connect();
    // INFO has the policy, too: hosted Redis servers such as ElastiCache refuse CONFIG.
    const fields = readFields(await client.info());
    return [checkVersion(fields), checkPolicy(fields), checkMode(fields)];
  } catch (error) {
    // What broke the connection says more than that it is closed.
    return [
      { name: 'redis', ok: false, seen: describeError(broken ?? error), fix: connectionFix(broken ?? error) },
    ];
  } finally {
    client.disconnect();
  }
}

/** `name:value` lines. */
function readFields(text: string): Map<string, string> {
  const pairs = text.split(/\r?\n/).flatMap((line) => {
    const at = line.indexOf(':');
    return at < 0 || line.startsWith('#') ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
  return new Map(pairs);
}

function checkVersion(fields: Map<string, string>): Check {
  const name = 'redis';
  const version = fields.get('redis_version') ?? 'unknown';
  const seen = `version ${version}`;
  if (Number.parseInt(version, 10) >= leastVersion) return { name, ok: true, seen };
  return { name, ok: false, seen, fix: `Upgrade it to Redis ${leastVersion} or newer, or to Valkey.` };
}

function checkMode(fields: Map<string, string>): Check {
  const name = 'redis mode';
  const mode = fields.get('redis_mode') ?? 'standalone';
  if (mode !== 'cluster') return { name, ok: true, seen: mode };
  return {
    name,
    ok: false,
    seen: 'cluster: what is stored in one step has keys on several of its nodes',
    fix: 'Use one primary, with replicas if you like: on ElastiCache, cluster mode disabled.',
  };
}

function checkPolicy(fields: Map<string, string>): Check {
  const name = 'redis memory policy';
  const policy = fields.get('maxmemory_policy') ?? 'unknown';
  if (policy === 'noeviction') return { name, ok: true, seen: policy };
  return {
    name,
    ok: false,
    seen: `${policy}: when its memory is full, it drops logs of builds that run`,
    fix: 'Set it: `redis-cli config set maxmemory-policy noeviction` and in redis.conf; on ElastiCache, in the parameter group.',
  };
}

/** By the first word of Redis's own errors, and by Node's codes. */
function connectionFix(error: unknown): string {
  const [word = ''] = (error instanceof Error ? error.message : '').split(' ');
  if (['WRONGPASS', 'NOAUTH', 'ERR'].includes(word))
    return 'Set user and password in REDIS_URL as the server has them.';
  if (word === 'NOPERM') return 'Allow this user INFO, and what the logs need: `ACL SETUSER NAME +@all ~*`.';
  return 'Check host and port in REDIS_URL (rediss:// where it wants TLS), that it runs, and that its security group lets this machine in.';
}
