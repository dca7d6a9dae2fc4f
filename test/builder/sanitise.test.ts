/** What of a command's output reaches the log. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLineReader } from '../../builder/log/line-reader.ts';
import { createMask } from '../../builder/log/mask.ts';
import { needsCleaning, sanitiseLine } from '../../builder/log/sanitise.ts';
import { maxLineLength } from '../../contract/logs.ts';

const esc = '\u001b';

describe('a line', () => {
  test.each([
    ['plain text', 'built in 3 s', 'built in 3 s'],
    ['a tab', 'a\tb', 'a\tb'],
    ['letters of other scripts', 'größe 大小 ✓ 🚀', 'größe 大小 ✓ 🚀'],
    ['colours', `${esc}[1;31mred${esc}[0m`, `${esc}[1;31mred${esc}[0m`],
    ['colours in their colon form', `${esc}[38:2::1:2:3mred${esc}[m`, `${esc}[38:2::1:2:3mred${esc}[m`],
    ['a colour in its 8-bit form', '\u009b31mred', `${esc}[31mred`],
    ['a private sequence that ends like a colour', `${esc}[>4;2mtext`, 'text'],
    ['a title', `${esc}]0;owned\u0007text`, 'text'],
    ['a title with the other end', `${esc}]0;owned${esc}\\text`, 'text'],
    ['a title without an end', `before${esc}]0;owned`, 'before'],
    ['a title that a colour interrupts', `${esc}]0;owned${esc}[31mred`, `${esc}[31mred`],
    ['a link', `${esc}]8;;http://x${esc}\\here${esc}]8;;${esc}\\`, 'here'],
    ['the clipboard', `${esc}]52;c;aGk=\u0007ok`, 'ok'],
    ['a title in its 8-bit form', '\u009d0;owned\u009cok', 'ok'],
    ['device control', `${esc}P1$r0m${esc}\\ok`, 'ok'],
    ['cursor moves', `a${esc}[2Ab${esc}[10;10Hc${esc}[3Cd`, 'abcd'],
    ['a cleared screen', `${esc}[2J${esc}[Hhello`, 'hello'],
    ['a change of character set', `${esc}(0qqq${esc}(B`, 'qqq'],
    ['a reset of the terminal', `${esc}cok`, 'ok'],
    ['a lone escape', `ok${esc}`, 'ok'],
    ['a sequence without an end', `ok${esc}[12;`, 'ok'],
    ['bell, backspace and null', 'a\u0007b\bc\u0000d', 'abcd'],
    ['C1 controls', 'a\u0085b\u0090', 'ab'],
    ['progress that writes over itself', '10%\r50%\r100%', '100%'],
    ['a carriage return at its end', 'done\r', 'done'],
    ['progress by cursor to the first column', `1/3${esc}[1G2/3${esc}[G3/3`, '3/3'],
    ['progress by erasing the line', `working${esc}[2K${esc}[1Gdone`, 'done'],
  ])('with %s', (_, line, shown) => {
    expect(sanitiseLine(line)).toBe(shown);
    if (!needsCleaning(line)) expect(line).toBe(shown);
  });

  test('is clean after one pass, however sequences are nested', () => {
    const parts = [esc, '[', ']', '31m', '0;', '\u0007', '\u009b', '\\', 'x', 'P', '>', '\r'];
    for (let seed = 1; seed < 5_000; seed++) {
      let state = seed;
      let line = '';
      for (let index = 0; index < 8; index++) {
        state = (state * 48271) % 2147483647;
        line += parts[state % parts.length];
      }
      const clean = sanitiseLine(line);
      expect(needsCleaning(clean), JSON.stringify(line)).toBe(false);
    }
  });
});

describe('output in chunks', () => {
  const read = (chunks: (string | Buffer)[], secrets: string[] = []) => {
    const reader = createLineReader(createMask(secrets));
    return [...chunks.flatMap((chunk) => reader.read(Buffer.from(chunk))), ...reader.end()];
  };

  test.each([
    ['lines that are split anywhere', ['one\ntw', 'o\nthr', 'ee'], ['one', 'two', 'three']],
    ['empty lines', ['\n\na\n'], ['', '', 'a']],
    ['a line break of Windows between chunks', ['one\r', '\ntwo\r\n'], ['one', 'two']],
    ['a colour that is split', [`${esc}[3`, '1mred\n'], [`${esc}[31mred`]],
    ['nothing at all', [''], []],
  ])('with %s', (_, chunks, lines) => {
    expect(read(chunks)).toEqual(lines);
  });

  test('with characters that are split keeps them, and replaces what is not UTF-8', () => {
    const bytes = Buffer.from('ä🚀\n');
    const one = [...bytes].map((byte) => Buffer.from([byte]));
    expect(read(one)).toEqual(['ä🚀']);
    expect(read([Buffer.from([0x61, 0xff, 0x62, 0x0a])])).toEqual(['a\ufffdb']);
  });

  test('with a line of any length keeps its start within the limit and says how much was cut', () => {
    const chunks = Array.from({ length: 100 }, () => 'x'.repeat(10_000));
    const [line = '', next] = read([...chunks, '\nnext\n']);
    expect(line.length).toBeLessThanOrEqual(maxLineLength);
    const [, kept = '', more] = /^(x+) … \((\d+) more characters\)$/.exec(line) ?? [];
    expect(kept.length + Number(more)).toBe(1_000_000);
    expect(next).toBe('next');
  });

  test('with endless progress on one line keeps what was written last', () => {
    const chunks = Array.from({ length: 2_000 }, (_, index) => `${'='.repeat(50)} ${index}\r`);
    expect(read([...chunks, '\n'])).toEqual([`${'='.repeat(50)} 1999`]);
  });

  test('with a secret at the cut shows nothing of it, however much before it is no text', () => {
    const secret = 'hunter2-S3cr3t-Valu3-0123456789';
    const around = maxLineLength + secret.length + 1024;
    fc.assert(
      fc.property(
        fc.integer({ min: -80, max: 40 }),
        fc.integer({ min: 0, max: Math.floor(around / 3) - 100 }),
        fc.integer({ min: 1, max: 3 }),
        (offset, escapes, chunks) => {
          const before = `${`${esc}[K`.repeat(escapes)}${'x'.repeat(around - escapes * 3 + offset)}`;
          const text = `${before}${secret} and more${'.'.repeat(200)}\n`;
          const size = Math.ceil(text.length / chunks);
          const parts = Array.from({ length: chunks }, (_, n) => text.slice(n * size, (n + 1) * size));
          expect(read(parts, [secret]).join('\n')).not.toContain(secret.slice(0, 8));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('with a secret hides it wherever it is split or cut', () => {
    const secret = 'ghp_0123456789abcdef';
    for (let at = 1; at < secret.length; at++) {
      expect(read([`token ${secret.slice(0, at)}`, `${secret.slice(at)} end\n`], [secret])).toEqual([
        'token *** end',
      ]);
    }
    for (const before of [16_330, 16_336, 16_370, 16_384, 17_400]) {
      const text = read([`${'x'.repeat(before)}${secret}${'y'.repeat(20_000)}\n`], [secret]).join('\n');
      expect(text).not.toContain('ghp_');
    }
    expect(read([`to\u0000ken gh\u0000p_0123456789abcdef\n`], [secret])).toEqual(['token ***']);
  });
});
