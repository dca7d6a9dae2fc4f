/** Reads all of stdin, for what must not stand in a command line. */
import { SphereError } from '../contract/errors.ts';

export type Stdin = NodeJS.ReadableStream & { isTTY?: boolean };

/** Null when a terminal is there instead. Throws `USAGE` beyond `most` bytes, and for what is not UTF-8. */
export async function readStandardInput(most: number, stdin: Stdin = process.stdin): Promise<string | null> {
  if (stdin.isTTY === true) return null;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes > most) throw new SphereError('USAGE', `More than ${most} bytes came on stdin.`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new SphereError('USAGE', 'What came on stdin is not UTF-8 text.', {
      hint: 'Store bytes as base64: `base64 -w0 FILE | sphere env add NAME`.',
      cause,
    });
  }
}
