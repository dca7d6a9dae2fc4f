/** Frames of a terminal as one SVG that plays by itself, wherever images are shown. Pure. */

const cell = { width: 8.4, height: 18 };
const padding = 14;
const bar = 30;
const colours = {
  text: '#d6deeb',
  back: '#0b1221',
  bar: '#1b2436',
  30: '#5c6773',
  31: '#ff6b6b',
  32: '#7bd88f',
  33: '#fce566',
  34: '#5ad4e6',
  35: '#c792ea',
  36: '#5ad4e6',
  37: '#d6deeb',
  90: '#7c8599',
};

/** `frames`: `{ at, screen }`, in order; the last one's time is the end. */
export function renderSvg(frames, { columns, rows }) {
  const width = Math.ceil(columns * cell.width + 2 * padding);
  const height = rows * cell.height + 2 * padding + bar;
  const end = frames.at(-1).at;
  const lines = new Map();
  const shown = frames.slice(0, -1).map(({ screen }) => {
    const uses = screen
      .split('\n')
      .slice(0, rows)
      .map((line, row) => {
        const drawn = drawLine(line);
        if (drawn === '') return '';
        if (!lines.has(drawn)) lines.set(drawn, `l${lines.size}`);
        return `<use href="#${lines.get(drawn)}" y="${row * cell.height}"/>`;
      });
    return uses.join('');
  });
  const percent = (at) => `${((at / end) * 100).toFixed(3)}%`;
  const steps = shown.map(
    (_, index) => `${percent(frames[index].at)}{transform:translateX(${-index * width}px)}`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="A site is deployed twice with sphere deploy">`,
    `<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:${colours.text};white-space:pre}`,
    `.b{font-weight:700}.d{opacity:.6}`,
    `.film{animation:film ${(end / 1000).toFixed(2)}s steps(1,end) infinite}@keyframes film{${steps.join('')}100%{transform:translateX(${-(shown.length - 1) * width}px)}}`,
    `@media (prefers-reduced-motion:reduce){.film{animation:none;transform:translateX(${-(shown.length - 1) * width}px)}}</style>`,
    `<defs>${[...lines].map(([drawn, id]) => `<text id="${id}">${drawn}</text>`).join('')}</defs>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${colours.back}"/>`,
    `<path d="M0 8a8 8 0 0 1 8-8h${width - 16}a8 8 0 0 1 8 8v${bar - 8}H0z" fill="${colours.bar}"/>`,
    ...['#ff5f57', '#febc2e', '#28c840'].map(
      (fill, n) => `<circle cx="${18 + n * 20}" cy="${bar / 2}" r="6" fill="${fill}"/>`,
    ),
    // What is beside the frame that is shown is cut off by the picture's own edge.
    `<g transform="translate(0 ${bar})"><g class="film">`,
    ...shown.map(
      (uses, index) => `<g transform="translate(${index * width + padding} ${padding + 13})">${uses}</g>`,
    ),
    `</g></g></svg>\n`,
  ].join('\n');
}

/** The spans of a line, each at its column: the widths of fonts differ a little. */
function drawLine(line) {
  let style = { bold: false, dim: false, colour: null };
  let column = 0;
  const spans = [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  for (const part of line.trimEnd().split(/(\u001b\[[\d;]*m)/)) {
    if (part.startsWith('\u001b')) {
      style = restyled(style, part.slice(2, -1).split(';').map(Number));
      continue;
    }
    const text = part.trimEnd();
    const lead = text.length - text.trimStart().length;
    if (text.trim() !== '') spans.push(span(text.slice(lead), column + lead, style));
    column += part.length;
  }
  return spans.join('');
}

function span(text, column, { bold, dim, colour }) {
  const classes = [...(bold ? ['b'] : []), ...(dim ? ['d'] : [])].join(' ');
  const fill = colours[colour] ? ` fill="${colours[colour]}"` : '';
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const length = (text.length * cell.width).toFixed(1);
  return `<tspan x="${(column * cell.width).toFixed(1)}" textLength="${length}"${classes && ` class="${classes}"`}${fill && ` style="fill:${colours[colour]}"`}>${escaped}</tspan>`;
}

function restyled(style, codes) {
  let next = style;
  for (const code of codes) {
    if (code === 0) next = { bold: false, dim: false, colour: null };
    else if (code === 1) next = { ...next, bold: true };
    else if (code === 2) next = { ...next, dim: true };
    else if (code === 22) next = { ...next, bold: false, dim: false };
    else if (code === 39) next = { ...next, colour: null };
    else if ((code >= 30 && code <= 37) || code === 90) next = { ...next, colour: code };
  }
  return next;
}
