/** What is piped into a command, for what must not stand in a command line. */
import { SphereError } from '../contract/errors.ts';

export type StdinLimits = {
  /** In bytes. */
  most?: number;
  /** For how long the first byte is waited for. */
  patienceMs?: number;
};

/**
 * All that comes on `stdin`. Null for a terminal, and where no first byte or end comes within the patience, as where a
 * build service leaves a pipe open that nobody writes to. Throws `USAGE` beyond `most` bytes, and for what is not UTF-8.
 */
export async function readPiped(
  stdin: NodeJS.ReadStream,
  { most = 1_000_000, patienceMs = 5_000 }: StdinLimits = {},
): Promise<string | null> {
  if (stdin.isTTY) return null;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const patience = setTimeout(() => stdin.destroy(), patienceMs);
  try {
    for await (const chunk of stdin) {
      clearTimeout(patience);
      chunks.push(Buffer.from(chunk));
      bytes += chunk.length;
      if (bytes > most) throw new SphereError('USAGE', `More than ${most} bytes came on stdin.`);
    }
  } catch (error) {
    // Closed, or given up.
    if (error instanceof SphereError) throw error;
    return null;
  } finally {
    clearTimeout(patience);
    stdin.destroy();
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
