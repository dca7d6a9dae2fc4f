/** What is piped into a command. */

/** The most that a command takes, in bytes. */
const most = 1_000_000;

/**
 * All that comes on `stdin`, or null: a terminal, nothing at all, or no first byte within `patienceMs`, as where a build
 * service leaves a pipe open that nobody writes to.
 */
export function readPiped(stdin: NodeJS.ReadStream, patienceMs = 5_000): Promise<string | null> {
  if (stdin.isTTY) return Promise.resolve(null);
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let size = 0;
    const end = (text: string | null) => {
      clearTimeout(patience);
      stdin.destroy();
      resolve(text);
    };
    const patience = setTimeout(() => end(null), patienceMs);
    stdin.on('data', (part: Buffer) => {
      clearTimeout(patience);
      parts.push(part);
      size += part.length;
      if (size > most) end(Buffer.concat(parts).toString());
    });
    stdin.on('end', () => end(size === 0 ? null : Buffer.concat(parts).toString()));
    stdin.on('error', () => end(null));
  });
}
