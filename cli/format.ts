/** Numbers, durations and tables as people read them. Pure. */

/** Milliseconds as `0.4 s`, `12 s`, `3 min 5 s` or `2 h 4 min`. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes in decimal units: `0 B`, `1.2 kB`, `34 MB`. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** `1 file`, `2 files`. Thousands are grouped. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : many}`;
}

/** How long before `now` the instant `iso` was: `just now`, `5 min ago`, `3 days ago`. */
export function ago(iso: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${count(Math.floor(seconds / 86_400), 'day')} ago`;
}

/**
 * Rows with aligned columns, two spaces apart, no space at the end of a line. Where a row does not fit into `columns`,
 * the words of its last cell go on below, under where that begins. No word is broken: an address stays one to copy.
 */
export function table(rows: readonly (readonly string[])[], columns: number | null = null): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) => {
      const before = row
        .slice(0, -1)
        .map((cell, column) => `${cell.padEnd(widths[column] ?? 0)}  `)
        .join('');
      const indent = columns !== null && columns - before.length < leastColumns ? 4 : before.length;
      const lines = wrap(
        row.at(-1) ?? '',
        columns === null ? null : columns - before.length,
        (columns ?? 0) - indent,
      );
      return lines
        .map((line, index) => `${index === 0 ? before : ' '.repeat(indent)}${line}`.trimEnd())
        .join('\n');
    })
    .join('\n');
}

/** A last column that is narrower than this is no column: what does not fit goes on near the left edge. */
const leastColumns = 20;

/** `text` in lines of at most `first` and then `width` characters, or one line where `first` is null. */
function wrap(text: string, first: number | null, width: number): string[] {
  if (first === null || text.length <= first) return [text];
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string;
    const room = lines.length === 1 ? first : width;
    // What is longer than any line stands alone, but leaves the first line where it fits better below.
    if (line === '' && (word.length <= room || lines.length > 1)) lines[lines.length - 1] = word;
    else if (line !== '' && line.length + 1 + word.length <= room)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
