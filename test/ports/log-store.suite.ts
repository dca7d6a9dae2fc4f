/** What every log store must do, written once and run on each of them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeLines, type NewLine } from '../../contract/logs.ts';
import type { LogStore } from '../../server/ports.ts';

/** A store that can be opened again on what it kept, as after a `kill -9` (it is not closed before). */
export type OpenStore = {
  store: LogStore;
  reopen(): Promise<LogStore>;
  close(): Promise<void>;
  /** It may lose what is not in a closed segment yet, and then asks for it. */
  forgets: boolean;
};

export function logStoreSuite(name: string, open: (limits: { maxBytes: number }) => Promise<OpenStore>) {
  describe(`${name} as a LogStore`, () => {
    let opened: OpenStore;
    let store: LogStore;
    beforeEach(async () => {
      opened = await open({ maxBytes: 1_000_000 });
      store = opened.store;
    });
    afterEach(() => opened.close());

    const lines = (...texts: string[]): NewLine[] => texts.map((text) => [1, 'build', 'stdout', text]);
    const batchOf = (attempt: number, batch: number) => ({ attempt, batch });

    async function readAll(from: LogStore, after = 0, maxBytes = 300) {
      const seen = [];
      for (;;) {
        const { batch, ended, last } = await from.read('dpl', after, maxBytes);
        if (!batch) return { seen, ended, last };
        const part = decodeLines(batch.lines);
        expect([part[0]?.seq, part.at(-1)?.seq]).toEqual([batch.first, batch.last]);
        seen.push(...part);
        after = batch.last;
      }
    }

    test("numbers lines 1, 2, 3 across attempts and the plane's own lines", async () => {
      expect(await store.append('dpl', batchOf(1, 1), lines('a', 'b'))).toMatchObject({
        last: 2,
        full: false,
      });
      await store.appendOwn('dpl', lines('own'));
      expect((await store.append('dpl', batchOf(2, 1), lines('c'))).last).toBe(4);
      const { seen } = await readAll(store);
      expect(seen.map(({ seq, text }) => [seq, text])).toEqual([
        [1, 'a'],
        [2, 'b'],
        [3, 'own'],
        [4, 'c'],
      ]);
    });

    test('stores a batch that is delivered twice once, also after a restart', async () => {
      await store.append('dpl', batchOf(1, 1), lines('a'));
      await store.append('dpl', batchOf(1, 1), lines('a'));
      const again = await opened.reopen();
      expect((await again.append('dpl', batchOf(1, 1), lines('a'))).last).toBe(1);
      expect((await again.append('dpl', batchOf(1, 2), lines('b'))).last).toBe(2);
    });

    test('does not take a batch that came before its forerunner', async () => {
      await store.append('dpl', batchOf(1, 1), lines('a'));
      const refused = store.append('dpl', batchOf(1, 3), lines('c'));
      // A store that can lose what it has taken asks for what is missing.
      if (opened.forgets) expect(await refused).toMatchObject({ again: 2 });
      else await expect(refused).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
      expect((await store.append('dpl', batchOf(1, 2), lines('b'))).last).toBe(2);
    });

    test('gives a reader that returns with its cursor every later line once', async () => {
      const texts = Array.from({ length: 500 }, (_, n) => `line ${n} ${'x'.repeat(n % 70)} ü€😀`);
      for (let n = 0; n < texts.length; n += 7) {
        await store.append('dpl', batchOf(1, n / 7 + 1), lines(...texts.slice(n, n + 7)));
      }
      for (const after of [0, 1, 6, 7, 250, 499]) {
        const { seen } = await readAll(store, after);
        expect(seen.map((line) => line.text)).toEqual(texts.slice(after));
      }
      expect((await readAll(await opened.reopen(), 333)).seen[0]?.seq).toBe(334);
    });

    test('keeps line breaks, quotes and the longest line as they are', async () => {
      const texts = ['a\nb', '"quoted" \\ [1,2]', '\u0001'.repeat(16_384), ''];
      await store.append('dpl', batchOf(1, 1), lines(...texts));
      expect((await readAll(store)).seen.map((line) => line.text)).toEqual(texts);
    });

    test('wakes who watches, and ends once', async () => {
      let woken = 0;
      const unwatch = store.watch('dpl', () => woken++);
      await store.append('dpl', batchOf(1, 1), lines('a'));
      expect((await readAll(store)).ended).toBe(false);
      await store.end('dpl');
      await store.end('dpl');
      expect(woken).toBe(2);
      unwatch();
      await store.appendOwn('dpl', lines('late'));
      expect(woken).toBe(2);
      expect(await readAll(store)).toMatchObject({ ended: true, last: 1 });
      expect((await readAll(await opened.reopen())).ended).toBe(true);
      await expect(store.append('dpl', batchOf(1, 2), lines('b'))).rejects.toMatchObject({
        code: 'ATTEMPT_STALE',
      });
    });

    test('stores no more than its limit and says so once', async () => {
      const big = lines('x'.repeat(16_000));
      let full: boolean | undefined;
      let batch = 0;
      while (!full) ({ full } = await store.append('dpl', batchOf(1, ++batch), big));
      const again = await opened.reopen();
      expect((await again.append('dpl', batchOf(1, ++batch), big)).full).toBe(true);
      await again.appendOwn('dpl', lines('the end'));
      const { seen } = await readAll(again);
      expect(seen.filter((line) => line.text.includes('limit'))).toHaveLength(1);
      expect(seen.at(-1)?.text).toBe('the end');
      expect(seen).toHaveLength(batch);
    });

    test('keeps logs apart and removes one whole', async () => {
      await store.append('dpl', batchOf(1, 1), lines('a'));
      await store.append('other', batchOf(1, 1), lines('b'));
      expect(await store.remove('dpl')).toBeGreaterThan(0);
      expect((await store.read('dpl', 0, 300)).batch).toBeNull();
      expect((await store.read('other', 0, 300)).batch?.last).toBe(1);
    });
  });
}
