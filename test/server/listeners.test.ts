/** Finding a free port. */
import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { closeServer, listen } from '../../server/listeners.ts';

test('a server that finds port after port taken keeps no trace of the tries', async () => {
  const first = createServer();
  const second = createServer();
  onTestFinished(async () => {
    await Promise.all([first, second].map(closeServer));
  });
  const listeners = () => ['listening', 'error'].map((event) => second.listenerCount(event));
  const before = listeners();
  const taken = (await listen(first, 0)) as number;
  for (let tries = 0; tries < 12; tries++) expect(await listen(second, taken)).toBeNull();
  expect(listeners()).toEqual(before);
  expect(await listen(second, 0)).toBeGreaterThan(0);
});
