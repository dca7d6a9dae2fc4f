/** Numbers, durations and tables as people read them. */
import { describe, expect, test } from 'vitest';
import { ago, bytes, count, duration, table } from '../../cli/format.ts';

describe('people read', () => {
  test.each([
    [0, '0.0 s'],
    [849, '0.8 s'],
    [9_949, '9.9 s'],
    [9_951, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min 0 s'],
    [185_000, '3 min 5 s'],
    [7_440_000, '2 h 4 min'],
    [-5, '0.0 s'],
  ])('%d ms as %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_234, '1.2 kB'],
    [9_960, '10 kB'],
    [999_600, '1.0 MB'],
    [340_000_000, '340 MB'],
  ])('%d bytes as %s', (number, text) => {
    expect(bytes(number)).toBe(text);
  });

  test('counts with their noun', () => {
    expect([count(1, 'file'), count(2, 'file'), count(12_345, 'entry', 'entries')]).toEqual([
      '1 file',
      '2 files',
      '12,345 entries',
    ]);
  });

  test.each([
    [10, 'just now'],
    [125, '2 min ago'],
    [7_300, '2 h ago'],
    [90_000, '1 day ago'],
    [-100, 'just now'],
  ])('%d seconds earlier as %s', (seconds, text) => {
    const now = Date.parse('2026-01-02T03:04:05Z');
    expect(ago(new Date(now - seconds * 1000).toISOString(), now)).toBe(text);
  });

  test('tables with aligned columns and nothing at the ends of lines', () => {
    expect(
      table([
        ['A', 'LONGER', ''],
        ['value', 'b', 'c'],
      ]),
    ).toBe('A      LONGER\nvalue  b       c');
  });
});

describe('a table on a narrow terminal', () => {
  const rows = [
    ['name', 'value', 'from'],
    ['plane', 'one on this machine', 'the words that say where this value came from'],
  ];

  test('goes on under its last column', () => {
    expect(table(rows, 52)).toBe(
      [
        'name   value                from',
        'plane  one on this machine  the words that say where',
        '                            this value came from',
      ].join('\n'),
    );
  });

  test('goes on near the left edge where the last column is too narrow', () => {
    expect(table(rows, 40).split('\n').slice(2)).toEqual(['    that say where this value came from']);
  });

  test('breaks no word', () => {
    const url = 'http://a-rather-long-name.example.com/';
    expect(table([['site', url]], 20)).toBe(`site\n    ${url}`);
  });

  test('is as wide as it is elsewhere', () => {
    expect(table(rows).split('\n')).toHaveLength(2);
  });
});
