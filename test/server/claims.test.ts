/** Whose turn it is when slots are free: pure. */
import { expect, test } from 'vitest';
import { fairTurns } from '../../server/claims.ts';

const queue = (name: string, running: number, free: number, ...since: number[]) => ({
  running,
  free,
  waiting: since.map((time) => ({ id: `${name}${time}`, since: time })),
});

test.each([
  ['nothing waits', [], 5, []],
  ['one account: the oldest first', [queue('a', 0, 9, 1, 2, 3)], 2, ['a1', 'a2']],
  ['slots go round', [queue('a', 0, 9, 1, 2, 3), queue('b', 0, 9, 4, 5)], 4, ['a1', 'b4', 'a2', 'b5']],
  [
    'who has fewer running comes first, however late',
    [queue('a', 2, 9, 1, 2), queue('b', 0, 9, 8, 9)],
    3,
    ['b8', 'b9', 'a1'],
  ],
  ['no account gets more than its own slots', [queue('a', 3, 1, 1, 2), queue('b', 5, 9, 3)], 5, ['a1', 'b3']],
  ['an account that is full gets none', [queue('a', 0, 0, 1), queue('b', 1, -1, 2)], 5, []],
])('%s', (_, queues, most, ids) => {
  expect(fairTurns(queues, most)).toEqual(ids);
});
