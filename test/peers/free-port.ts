/** A port that nobody listens on, for servers that cannot choose one themselves. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below what Linux gives to connections that go out (32768), so that none of those takes a port in between. */
const first = 12_000;
/** For each of vitest's workers, so that none takes what another has just been given. */
const each = 4_000;

const start = first + ((Number(process.env.VITEST_POOL_ID ?? 1) - 1) % 5) * each;
/** Somewhere in the range: files that a worker runs one after the other do not meet what the one before leaves behind. */
let next = Math.floor(Math.random() * each);

/** A free port on 127.0.0.1, which this worker is not given again soon. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < each; tries++) {
    const port = start + (next++ % each);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${start} to ${start + each} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = new Promise<boolean>((resolve) => {
    server.once('listening', () => resolve(true)).once('error', () => resolve(false));
  });
  server.listen(port, '127.0.0.1');
  if (!(await listening)) return false;
  server.close();
  await once(server, 'close');
  return true;
}
