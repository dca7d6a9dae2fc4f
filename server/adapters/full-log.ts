/** What a log says when it has reached its limit. */
import type { NewLine } from '../../contract/logs.ts';

/** The last line that is kept of builders' output. */
export function fullLine(maxBytes: number): NewLine {
  const text = `The log has reached its limit of ${Math.round(maxBytes / 1e6)} MB; the build goes on, its further output is not kept.`;
  return [Date.now(), 'build', 'sphere', text];
}
