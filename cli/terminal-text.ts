/** Build output is hostile text: what of it may reach a terminal. Pure. */

// Anything that is neither a line break, a tab nor printable: ESC, C0, DEL and the C1 range.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const suspicious = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

const sequences = new RegExp(
  [
    // Colours, the only ones that stay (see below).
    '\\u001b\\[[0-9;:]*m',
    // Strings with a terminator (OSC, DCS, SOS, PM, APC): titles, links, clipboard writes.
    '(?:\\u001b[\\]PX^_]|[\\u009d\\u0090\\u0098\\u009e\\u009f])[^\\n\\u0007\\u001b\\u009c]*(?:\\u0007|\\u001b\\\\|\\u009c)?',
    // Other control sequences: cursor moves, clearing, modes.
    '(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]?',
    // Two-byte and three-byte escapes.
    '\\u001b[ -/]*[0-~]?',
    // Lone control characters.
    '[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]',
  ].join('|'),
  'g',
);

const isColour = (sequence: string) =>
  sequence.startsWith('\u001b[') && /^[0-9;:]*m$/.test(sequence.slice(2));

/**
 * `text` (lines separated by `\n`) without control sequences, save colours when `colours` is set. A line that sets a
 * colour is closed with a reset, so that it cannot tint what follows.
 */
export function cleanText(text: string, colours: boolean): string {
  if (!suspicious.test(text)) return text;
  const kept = text.replace(sequences, (sequence) => (colours && isColour(sequence) ? sequence : ''));
  if (!colours || !kept.includes('\u001b')) return kept;
  return kept
    .split('\n')
    .map((line) => (line.includes('\u001b') && !line.endsWith('\u001b[0m') ? `${line}\u001b[0m` : line))
    .join('\n');
}
