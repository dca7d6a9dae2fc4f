/** What the builder keeps of what it has sent, and what it sends when it has dropped it. */
import { expect, test } from 'vitest';
import { createSentBatches } from '../../builder/log/sent-batches.ts';
import { createShipper } from '../../builder/log/shipper.ts';
import type { LogAnswer, LogRequest } from '../../contract/builder-api.ts';

const batch = (number: number, text: string) => ({
  number,
  body: JSON.stringify({ batch: number, lines: [[1, 'build', 'stdout', text]] }),
  lines: 1,
});

test('batches are kept until the plane has them for good', () => {
  const sent = createSentBatches();
  sent.answered(batch(1, 'a'), 0);
  sent.answered(batch(2, 'b'), 0);
  expect(sent.bodyOf(1)).toBe(batch(1, 'a').body);
  sent.answered(batch(3, 'c'), 1);
  expect(JSON.parse(sent.bodyOf(1))).toEqual({ batch: 1, lines: [] });
  expect(sent.bodyOf(2)).toBe(batch(2, 'b').body);
});

test('beyond the bound the oldest are dropped, and are as many lines that say so', () => {
  const sent = createSentBatches(1_000);
  for (let number = 1; number <= 20; number++) sent.answered(batch(number, 'x'.repeat(100)), 0);
  expect(sent.bodyOf(20)).toBe(batch(20, 'x'.repeat(100)).body);
  expect(JSON.parse(sent.bodyOf(1))).toEqual({
    batch: 1,
    lines: [[expect.any(Number), 'build', 'sphere', expect.stringContaining('lost')]],
  });
});

/** A plane that has what it is given until `forget`. */
function forgetfulPlane() {
  let batches: LogRequest[] = [];
  return {
    texts: () => batches.flatMap(({ lines }) => lines.map((line) => line[3])),
    /** Forgets all but the first `count` batches. */
    forget: (count: number) => {
      batches = batches.slice(0, count);
    },
    async send(body: string): Promise<LogAnswer> {
      const request = JSON.parse(body) as LogRequest;
      if (request.batch !== batches.length + 1) return { last: 0, kept: 0, again: batches.length + 1 };
      batches.push(request);
      return { last: 0, kept: 0 };
    },
  };
}

test('what the plane asks for again comes in order, before anything new', async () => {
  const plane = forgetfulPlane();
  const shipper = createShipper({ send: plane.send, unblocked: () => {}, failed: () => {} });
  const say = async (text: string) => {
    shipper.push([text], 'build', 'stdout');
    await shipper.flush();
  };
  for (const text of ['a', 'b', 'c', 'd']) await say(text);
  plane.forget(1);
  await say('e');
  plane.forget(0);
  await say('f');
  expect(plane.texts()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});

test('a plane that asks for what it was just given is an error, not an endless exchange', async () => {
  const failures: unknown[] = [];
  const shipper = createShipper({
    send: async () => ({ last: 0, kept: 0, again: 1 }),
    unblocked: () => {},
    failed: (error) => failures.push(error),
  });
  shipper.push(['a'], 'build', 'stdout');
  await expect(shipper.flush()).rejects.toThrow('batch 1');
  expect(failures).toHaveLength(1);
});
