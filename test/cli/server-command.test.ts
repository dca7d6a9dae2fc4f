/** `sphere server` where a plane serves the data directory already. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Context } from '../../cli/command.ts';
import { command } from '../../cli/commands/server.ts';
import { readConfig } from '../../server/config.ts';
import { openPlane } from '../../server/embedded-plane.ts';

test('a second server names the first, and how to change its port', async () => {
  const home = mkdtempSync(join(tmpdir(), 'sphere-held-'));
  const server = await openPlane(readConfig({ home }), () => {});
  if ('held' in server) throw new Error('a fresh directory is held');
  onTestFinished(async () => {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  });
  const { port } = new URL(server.url);
  const said: string[] = [];
  const context = {
    environment: { home, forChildren: {} },
    output: { note: (text: string) => said.push(text) },
  } as never;
  const run = (options: object) => command.run(context as Context, [], options as never);

  await run({});
  await run({ port });
  const at = expect.stringMatching(new RegExp(`${process.pid} .*at http://127\\.0\\.0\\.1:${port}`));
  expect(said).toEqual([at, at]);
  await expect(run({ port: '1' })).rejects.toMatchObject({
    code: 'PLANE_BUSY',
    message: expect.stringContaining(`on port ${port}`),
    hint: expect.stringContaining('`sphere server stop`, then `sphere server --port 1`'),
  });
});
