/** Control sequences that may reach a terminal, and those that may not. */
import { describe, expect, test } from 'vitest';
import { cleanText } from '../../cli/terminal-text.ts';

const esc = '\u001b';

describe('of build output reaches a terminal', () => {
  test.each([
    ['plain text as it is', 'a\tb\nc', 'a\tb\nc'],
    ['a colour, closed at the end of its line', `${esc}[31mred`, `${esc}[31mred${esc}[0m`],
    ['a colour with sub-parameters', `${esc}[38:2:1:2:3mx${esc}[0m`, `${esc}[38:2:1:2:3mx${esc}[0m`],
    ['no cursor move and no clearing', `${esc}[2J${esc}[1;1Hx${esc}[K`, 'x'],
    ['no window title', `${esc}]0;owned\u0007x`, 'x'],
    ['no link, only its text', `${esc}]8;;http://evil${esc}\\text${esc}]8;;${esc}\\`, 'text'],
    ['no write to the clipboard', `${esc}]52;c;aGk=${esc}\\x`, 'x'],
    ['no device control string', `${esc}P+q544e${esc}\\x`, 'x'],
    ['no mode switch', `${esc}[?1049hx${esc}[?25l`, 'x'],
    ['no reset of the terminal', `${esc}cx`, 'x'],
    ['no character set switch', `${esc}(0x`, 'x'],
    ['no C1 control', '\u009b2Jx\u009d0;t\u0007y', 'xy'],
    ['no carriage return, backspace or bell', 'a\rb\u0008c\u0007', 'abc'],
    ['no private sequence that ends like a colour', `${esc}[>4;1mx`, 'x'],
    ['no unfinished sequence', `x${esc}[`, 'x'],
    ['no unfinished string beyond its line', `${esc}]0;title\nnext`, '\nnext'],
  ])('%s', (_what, text, kept) => {
    expect(cleanText(text, true)).toBe(kept);
  });

  test('no colour where none is wanted', () => {
    expect(cleanText(`${esc}[31mred${esc}[0m`, false)).toBe('red');
  });

  test('each line with a colour of its own, so that none runs on', () => {
    expect(cleanText(`${esc}[31ma\nb`, true)).toBe(`${esc}[31ma${esc}[0m\nb`);
  });
});
