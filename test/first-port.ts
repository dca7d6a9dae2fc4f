/**
 * Keeps the port that a first plane tries from all planes of the tests: with it, one that is stopped and started again
 * could find another test's plane at its own address.
 */
import { createServer } from 'node:http';
import { closeServer, firstChoice, listen } from '../server/listeners.ts';

/** Called by vitest before all tests; what it returns, after them. */
export default async function keepFirstPort(): Promise<() => Promise<void>> {
  const server = createServer();
  // Where another program has it, it is kept already.
  await listen(server, firstChoice);
  return () => closeServer(server);
}
