/** Keeps secrets out of the log: finds each in the forms in which programs print it. */
import { createFinder } from '../secrets/finder.ts';
import { formsInLog } from '../secrets/forms.ts';

/**
 * Puts `***` where a secret stands. Text must come in whole lines, so that no secret is cut in two; nothing is held back
 * for the mask's own sake.
 */
export type Mask = {
  (text: string): string;
  /** The longest text that the mask looks for, in UTF-16 units or fewer. */
  readonly longest: number;
};

const hidden = Buffer.from('***');

/** A mask for `secrets`; shorter ones than eight bytes are left alone. */
export function createMask(secrets: readonly string[]): Mask {
  const forms = secrets.flatMap(formsInLog);
  const texts = forms.map(({ text }) => Buffer.from(text));
  const wholes = forms.map(({ whole }) => whole && { text: Buffer.from(whole.text), at: whole.at });
  const find = createFinder(texts);

  const mask = (text: string) => {
    if (texts.length === 0) return text;
    const bytes = Buffer.from(text);
    const spans: Span[] = [];
    find(bytes, bytes.length, (index, start) => {
      const span = { start, end: start + (texts[index] as Buffer).length };
      const whole = wholes[index];
      spans.push(whole === undefined ? span : widened(bytes, span, whole));
    });
    return spans.length === 0 ? text : withoutSpans(bytes, spans);
  };
  return Object.assign(mask, { longest: texts.reduce((most, { length }) => Math.max(most, length), 0) });
}

type Span = { start: number; end: number };

/** `span` as far to both sides as what stands there is the same as in the form that it is a part of. */
function widened(bytes: Buffer, { start, end }: Span, whole: { text: Buffer; at: number }): Span {
  const shift = start - whole.at;
  let from = start;
  while (from > 0 && from > shift && bytes[from - 1] === whole.text[from - 1 - shift]) from--;
  let to = end;
  while (to < bytes.length && to - shift < whole.text.length && bytes[to] === whole.text[to - shift]) to++;
  return { start: from, end: to };
}

/** Finds that overlap are one: no end of the shorter is left beside the longer. */
function withoutSpans(bytes: Buffer, spans: Span[]): string {
  spans.sort((a, b) => a.start - b.start || b.end - a.end);
  const parts: Buffer[] = [];
  let shown = 0;
  let at = 0;
  while (at < spans.length) {
    const { start } = spans[at] as Span;
    let { end } = spans[at] as Span;
    for (at++; at < spans.length && (spans[at] as Span).start < end; at++) {
      end = Math.max(end, (spans[at] as Span).end);
    }
    parts.push(bytes.subarray(shown, start), hidden);
    shown = end;
  }
  return Buffer.concat([...parts, bytes.subarray(shown)]).toString();
}
