/** A TCP proxy whose connections are cut again and again. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type BreakingProxy = { url: string; cuts(): number; close(): Promise<void> };

/** Passes everything on to `target`, and every `everyMs` milliseconds resets all connections that are open. */
export async function startBreakingProxy(target: string, everyMs: number): Promise<BreakingProxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let cuts = 0;
  const server = createServer((client) => {
    const plane = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, plane],
      [plane, client],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const timer = setInterval(() => {
    for (const socket of open) {
      cuts += 1;
      socket.resetAndDestroy();
    }
  }, everyMs);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: () => cuts,
    close: () => {
      clearInterval(timer);
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
