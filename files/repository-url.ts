/** Which repository addresses and refs Sphere hands to git: an allow-list, shared by the CLI and the builder. */
import { isAbsolute } from 'node:path';
import { SphereError } from '../contract/errors.ts';

/** A repository address that may be given to git. */
export type Repository = {
  /** As it is given to git. */
  url: string;
  transport: 'https' | 'http' | 'ssh' | 'file';
  /** Host and port, as git names them in its prompts; null for a local path. */
  host: string | null;
};

const allowed = 'https://host/path, ssh://git@host/path or git@host:path';

/**
 * Checks a repository address. `allowLocal`: absolute paths and `file://` are allowed too.
 * Throws SOURCE_REFUSED for options in disguise, unknown transports, credentials in the address, control characters, and
 * hosts that are written so that programs take them for different ones.
 */
export function checkRepository(url: string, { allowLocal }: { allowLocal: boolean }): Repository {
  if (url === '' || url !== url.trim() || hasControlOrSpace(url)) {
    throw refused(url, 'is empty or holds spaces or control characters');
  }
  if (url.startsWith('-')) throw refused(url, 'starts with "-", which git would read as an option');
  if (/^[a-z][a-z0-9+.-]*::/i.test(url)) throw refused(url, 'names a git remote helper, which runs programs');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return checkUrl(url, allowLocal);
  if (isAbsolute(url)) return local(url, url, allowLocal);
  return checkScpLike(url);
}

function checkUrl(url: string, allowLocal: boolean): Repository {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw refused(url, 'is not a URL');
  }
  const transport = parsed.protocol.slice(0, -1);
  if (transport === 'file') {
    if (parsed.host !== '') throw refused(url, 'names a host in a file:// address');
    return local(url, url, allowLocal);
  }
  if (transport !== 'https' && transport !== 'http' && transport !== 'ssh') {
    throw refused(url, `uses the transport "${transport}"`);
  }
  if (parsed.password !== '' || (transport !== 'ssh' && parsed.username !== '')) {
    throw new SphereError(
      'SOURCE_REFUSED',
      `The repository address ${hideUser(url)} holds credentials, which would end up in logs and process lists.`,
      { hint: 'Take them out of the address and give the token in SPHERE_GIT_TOKEN.' },
    );
  }
  if (parsed.username.startsWith('-') || parsed.hostname.startsWith('-')) {
    throw refused(url, 'names a user or host that starts with "-"');
  }
  if (parsed.hostname === '' || parsed.pathname === '/' || parsed.pathname === '') {
    throw refused(url, 'names no host or no path');
  }
  checkWrittenHost(url, parsed.hostname);
  return { url, transport, host: parsed.host };
}

/**
 * Whoever checks a host reads it as URL does, git and curl read it in their own ways: of `https://a\@b/` one takes `a`, the
 * other `b`, and `%2e` or a wide digit is the same host to one of them only. So it must be written as it was read.
 */
function checkWrittenHost(url: string, read: string): void {
  const written = /^[a-z]+:\/\/(?:[\w.+-]+@)?(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d*)?\//i.exec(url)?.[1];
  if (written === undefined) throw refused(url, 'names a host with characters that no host name has');
  refuseDotAtEnd(url, written);
  // An address of IPv6 has many forms, and every program knows them all.
  if (written.startsWith('[') || written.toLowerCase() === read.toLowerCase()) return;
  throw refused(url, `does not name its host as programs read it, which is ${read}`);
}

/** What is pinned for `host` does not hold for `host.` in curl, which then resolves the name again. */
function refuseDotAtEnd(url: string, host: string): void {
  if (host.endsWith('.')) throw refused(url, 'names a host with a dot at its end');
}

/** `user@host:path`, ssh's short form. git takes anything with a colon before the first slash for it. */
function checkScpLike(url: string): Repository {
  const match = /^(?:([A-Za-z0-9_.][A-Za-z0-9_.-]*)@)?([A-Za-z0-9_.][A-Za-z0-9_.-]*):(?!\/\/)(.+)$/.exec(url);
  const [, , host, path] = match ?? [];
  if (host === undefined || path === undefined || path.startsWith('-')) {
    throw refused(url, 'is none of the forms that Sphere knows');
  }
  refuseDotAtEnd(url, host);
  return { url, transport: 'ssh', host };
}

function local(url: string, path: string, allowLocal: boolean): Repository {
  if (!allowLocal) throw refused(url, 'is a path on this machine, which this plane does not read');
  return { url: path, transport: 'file', host: null };
}

/**
 * Checks a branch, tag or commit by git's own rules for names (git-check-ref-format).
 * Throws SOURCE_REFUSED.
 */
export function checkRef(ref: string): string {
  const wrong =
    ref === '' ||
    ref.startsWith('-') ||
    ref.startsWith('/') ||
    ref.endsWith('/') ||
    ref.endsWith('.') ||
    ref.endsWith('.lock') ||
    ref.includes('..') ||
    ref.includes('//') ||
    ref.includes('@{') ||
    ref === '@' ||
    hasControlOrSpace(ref) ||
    /[~^:?*[\\]/.test(ref) ||
    ref.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock'));
  if (!wrong) return ref;
  throw new SphereError('SOURCE_REFUSED', `${JSON.stringify(ref)} is not a name that git allows for a ref.`, {
    hint: 'Give a branch, a tag, or a whole commit id.',
  });
}

function hasControlOrSpace(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return /[\u0000-\u0020\u007f-\u00a0\u2028\u2029]/.test(text);
}

/** The address without what stands before its `@`. */
function hideUser(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//…@');
}

function refused(url: string, why: string): SphereError {
  return new SphereError(
    'SOURCE_REFUSED',
    `The repository address ${JSON.stringify(hideUser(url))} ${why}.`,
    { hint: `Give ${allowed}.` },
  );
}
