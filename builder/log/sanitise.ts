/** Makes a command's output harmless: of all control sequences only colours (SGR) are left. */

/** Every control character but tab and line break. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: ESC starts a colour
const colours = /\u001b\[[0-9;:]*m/g;

/**
 * Whether `text`, one or many lines, holds anything that `sanitiseLine` would change. Two scans over a whole chunk of
 * output find nothing in most of them, and that is all the work there is.
 */
export function needsCleaning(text: string): boolean {
  return control.test(text) && control.test(text.replace(colours, ''));
}

const sequences = new RegExp(
  [
    // Strings that terminals act on (titles, clipboard, links), up to their end or that of the line.
    '(?:\\u001b[\\]PX^_]|[\\u0090\\u0098\\u009d-\\u009f])[^\\u0007\\u001b\\u009c]*(?:\\u0007|\\u001b\\\\|\\u009c|(?=\\u001b)|$)',
    // CSI: parameters, intermediates, final byte. A broken one goes as far as it is one.
    '(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]?',
    // Other escapes, such as a change of character set.
    '\\u001b[ -/]*[0-~]?',
    // Single controls.
    '[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]',
  ].join('|'),
  'g',
);

/** A colour: digits, `;` and `:` alone, so that private forms (`ESC [ > 4 m`) are none. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: ESC starts a colour
const colour = /^(?:\u001b\[|\u009b)([0-9;:]*)m$/;

/** Sequences after which a terminal shows only what follows: to column 1, or erase the whole line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: ESC and C1 start a sequence
const restart = /(?:\u001b\[|\u009b)(?:[01]?G|2K)/g;

/**
 * One line of output as it may be shown: colours kept, every other control sequence and control character dropped,
 * and of text that was written over (`\r`) what was written last.
 */
export function sanitiseLine(line: string): string {
  return lastWritten(line).replace(sequences, (sequence) => {
    const parameters = colour.exec(sequence)?.[1];
    return parameters === undefined ? '' : `\u001b[${parameters}m`;
  });
}

/** What is left to see of a line in which a progress display has written over itself. */
export function lastWritten(line: string): string {
  const plain = line.replace(restart, '\r').replace(/\r+$/, '');
  return plain.slice(plain.lastIndexOf('\r') + 1);
}
