/**
 * The plane's side of the benchmark of followers, a process of its own: a builder's shipper prints 100 lines a second into
 * the log store in Redis, from where sockets serve the log (`ours`); or each batch goes to a room of bare Socket.IO as it
 * comes (`bare`). Bundled before it runs, because it uses the plane's own files. Arguments: kind, Redis URL.
 */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { createShipper } from '../../builder/log/shipper.ts';
import { encodeLine, followPath } from '../../contract/logs.ts';
import { createRedisLogStore } from '../../server/adapters/redis/redis-log-store.ts';
import { gatherWakes } from '../../server/gathered-wakes.ts';
import { sendLog } from '../../server/send-log.ts';

const deployment = 'dpl_bench';
const linesPerSecond = 100;
const [kind, redis] = process.argv.slice(2);

const http = createServer();
// As attachSockets sets it up.
const io = new Server(http, {
  path: followPath,
  transports: ['websocket'],
  serveClient: false,
  perMessageDeflate: false,
});
const store = kind === 'ours' ? openStore() : null;
const logs = store && { read: store.read, watch: gatherWakes(store.watch) };

io.on('connection', (socket) => {
  const gone = new AbortController();
  socket.on('disconnect', () => gone.abort());
  socket.on('follow', (request, answer) => {
    answer({ ok: true });
    if (logs) void sendLog(logs, socket, request.deployment, request.after, gone.signal);
    else socket.join(request.deployment);
  });
});

function openStore() {
  const artifacts = {
    put: async () => {},
    get: async () => null,
    list: async () => [],
    remove: async () => {},
  };
  const report = (message) => process.stderr.write(`${message}\n`);
  return createRedisLogStore({ redis, artifacts, maxBytes: 200_000_000, report });
}

let last = 0;
const shipper = createShipper({
  async send(body) {
    const { batch, lines } = JSON.parse(body);
    if (store) return store.append(deployment, { attempt: 1, batch }, lines);
    const first = last + 1;
    const text = lines.map((line) => encodeLine(++last, line)).join('');
    io.to(deployment).emit('batch', deployment, { first, last, lines: text });
    return { last };
  },
  unblocked: () => {},
  failed: (error) => {
    throw error;
  },
});

/** A builder whose command prints; `Date.now()` in each line is when. */
function print(seconds) {
  const started = Date.now();
  let printed = 0;
  return new Promise((resolve) => {
    const timer = setInterval(async () => {
      const due = Math.min(((Date.now() - started) * linesPerSecond) / 1000, seconds * linesPerSecond);
      const lines = [];
      for (; printed < due; printed++) {
        lines.push(`at=${Date.now()} transforming src/components/Button.tsx of the whole lot`);
      }
      shipper.push(lines, 'build', 'stdout');
      if (printed < seconds * linesPerSecond) return;
      clearInterval(timer);
      await shipper.flush();
      resolve();
    }, 10);
  });
}

process.on('message', async ({ seconds }) => {
  if (seconds !== undefined) await print(seconds);
  globalThis.gc?.();
  process.send({ memory: process.memoryUsage().rss, processor: process.cpuUsage() });
});
http.listen(0, '127.0.0.1', () => process.send({ port: http.address().port }));
