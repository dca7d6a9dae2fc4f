/** Reads the path of a request: decoded once, part by part, so that nothing in it can leave the site. */

/**
 * The decoded path of `url` (as it stands in the request line) and its query (`''` or `?…`). Null when the path is not
 * one: wrong percent-encoding, or a part that is `.` or `..` or holds a slash, a backslash or a control character.
 */
export function readRequestUrl(url: string): { path: string; search: string } | null {
  const target = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/#.*$/s, '');
  const question = target.indexOf('?');
  const raw = question === -1 ? target : target.slice(0, question);
  const path = decodePath(raw);
  return path === null ? null : { path, search: question === -1 ? '' : asciiOnly(target.slice(question)) };
}

function decodePath(raw: string): string | null {
  if (!raw.startsWith('/')) return null;
  const parts: string[] = [];
  for (const part of raw.slice(1).split('/')) {
    const decoded = decodePart(part);
    if (decoded === null) return null;
    parts.push(decoded);
  }
  return `/${parts.join('/')}`;
}

function decodePart(raw: string): string | null {
  let part: string;
  try {
    // Node hands on bytes above 0x7f as they came: programs such as curl send UTF-8 without encoding it.
    part = decodeURIComponent(raw.replace(/[\x80-\xff]+/g, escapeBytes));
  } catch {
    return null;
  }
  if (part === '.' || part === '..') return null;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return /[\u0000-\u001f\u007f/\\]/.test(part) ? null : part;
}

function escapeBytes(bytes: string): string {
  return [...bytes].map((byte) => `%${byte.charCodeAt(0).toString(16)}`).join('');
}

/** A query goes into `Location` as it came, which allows printable ASCII alone. */
function asciiOnly(search: string): string {
  return search.replace(/[\x80-\xff]+/g, escapeBytes).replace(/[^\x21-\x7e]/g, '');
}
