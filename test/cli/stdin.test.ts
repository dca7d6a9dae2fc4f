/** What is piped into a command, and a pipe into which nothing is. */
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readPiped } from '../../cli/stdin.ts';

function piping(...chunks: (string | Buffer)[]) {
  const stream = new PassThrough();
  onTestFinished(() => void stream.destroy());
  for (const chunk of chunks) stream.write(chunk);
  return { stdin: stream as unknown as NodeJS.ReadStream, stream };
}

test('a pipe that is open and says nothing is waited for no longer than patience allows', async () => {
  expect(await readPiped(piping().stdin, { patienceMs: 30 })).toBeNull();
});

test('what has begun in time is read to its end, however long that takes', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { stdin, stream } = piping('wo');
  const reading = readPiped(stdin, { patienceMs: 30 });
  await expect.poll(() => stream.readableLength).toBe(0);
  vi.advanceTimersByTime(3600_000);
  stream.end('rd\n');
  expect(await reading).toBe('word\n');
});

test('an empty pipe is an empty text, a terminal none', async () => {
  const { stdin, stream } = piping();
  stream.end();
  expect(await readPiped(stdin)).toBe('');
  expect(await readPiped(Object.assign(piping('x').stdin, { isTTY: true as const }))).toBeNull();
});

test('more than may come, and what is no text, is refused', async () => {
  await expect(readPiped(piping('1234').stdin, { most: 3 })).rejects.toThrow('More than 3 bytes');
  const { stdin, stream } = piping(Buffer.from([0xff, 0xfe]));
  stream.end();
  await expect(readPiped(stdin)).rejects.toMatchObject({
    code: 'USAGE',
    hint: expect.stringContaining('base64'),
  });
});
