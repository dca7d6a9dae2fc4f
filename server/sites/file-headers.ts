/** Says from a file's path how it is sent: its content type, and how long it may be kept. */
import { contentType } from 'mime-types';

/** Files whose name says nothing of their type, or whose registered type browsers do not run. */
const typeOfName: Record<string, string> = {
  'apple-app-site-association': 'application/json; charset=utf-8',
};
const typeOfExtension: Record<string, string> = {
  cjs: 'text/javascript; charset=utf-8',
};

/** The `Content-Type` of a file in a site, with `charset=utf-8` for text. */
export function contentTypeOf(path: string): string {
  const name = nameOf(path);
  const extension = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase();
  if (extension === undefined) return typeOfName[name] ?? 'application/octet-stream';
  return typeOfExtension[extension] ?? (contentType(`.${extension}`) || 'application/octet-stream');
}

/** `Cache-Control` of what has a hash in its name. */
export const keepForever = 'public, max-age=31536000, immutable';
/** `Cache-Control` of everything else. */
export const askEachTime = 'public, max-age=0, must-revalidate';

/** The `Cache-Control` of a file in a site. */
export function cacheControlOf(path: string): string {
  return isFingerprinted(path) ? keepForever : askEachTime;
}

/** Frameworks that put nothing into these directories but files whose address changes with their content. */
const hashedDirectories = /(?:^|\/)(?:_next\/static|_app\/immutable)\//;
/** Gatsby names a directory after the content: `static/<md5>/…`. */
const hashNamedDirectory = /(?:^|\/)static\/[0-9a-f]{32}\//;
/** Here a hash is often the whole name. */
const bundleDirectories = /(?:^|\/)_(?:nuxt|astro)\//;
/** What bundlers write and people seldom name by hand. */
const codeFile = /\.(?:m?js|css|wasm|woff2?)(?:\.map)?$/;
const uuidAtEnd = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Whether the file's address changes when its content does: its name carries a hash as bundlers write them, or it lies
 * where a framework puts nothing else. When in doubt, no: a wrong yes keeps a stale file in browsers for a year.
 */
export function isFingerprinted(path: string): boolean {
  if (/\.x?html?$/i.test(path)) return false;
  if (hashedDirectories.test(path) || hashNamedDirectory.test(path)) return true;
  const parts = nameOf(path).split('.').slice(0, -1);
  const code = codeFile.test(path);
  const bundle = bundleDirectories.test(path);
  return parts.some((part, index) => {
    if (uuidAtEnd.test(part)) return false;
    if (index === 0 && isWholeNameHash(part, code, bundle)) return true;
    if (index > 0 && isHash(part, code, bundle)) return true;
    return endsInHash(part, code);
  });
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `3f2a9c1b.chunk.js`. Data is often named by an identifier that looks like a hash, so only code may be short. */
function isWholeNameHash(part: string, code: boolean, bundle: boolean): boolean {
  if (bundle) return isHash(part, code, bundle) || /^[0-9a-f]{7}$/.test(part);
  if (code) return isHexHash(part, code);
  return [20, 32, 40, 64].includes(part.length) && isHexHash(part, code);
}

/** `main.3f2a9c1b.js`, `entry.BxY3a9Z1.css`, Astro's `image.DLWxjCQ8_Z1YJ2hX.webp`. */
function isHash(part: string, code: boolean, bundle: boolean): boolean {
  if (bundle && /^[\w-]{8}_\w{4,}$/.test(part)) return true;
  return isHexHash(part, code) || isBase64Hash(part, code);
}

/** `index-BxY3_a9Z.js`, `app-1a2b3c4d5e6f7a8b9c0d.js`, `main-5TSIXRMM.js`. */
function endsInHash(part: string, code: boolean): boolean {
  const hex = /-([0-9a-f]{8,64})$/.exec(part)?.[1];
  if (hex !== undefined && isHexHash(hex, code)) return true;
  return part.at(-9) === '-' && isBase64Hash(part.slice(-8), code);
}

/** Digits alone are a date or a number, letters alone a word; but chunk 84021957 of a bundler is a hash. */
function isHexHash(text: string, code: boolean): boolean {
  if (!/^[0-9a-f]{8,64}$/.test(text)) return false;
  if (/^\d+$/.test(text)) return code && text.length === 8 && !/^(?:19|20)\d\d(?:0\d|1[0-2])/.test(text);
  return /\d/.test(text);
}

/** Eight characters of base64url (Rollup, Vite) or base32 (esbuild) that nobody would write as words. */
function isBase64Hash(text: string, code: boolean): boolean {
  if (code && /^[A-Z2-7]{8}$/.test(text)) return true;
  if (!/^[\w-]{8}$/.test(text) || !/[A-Z]/.test(text) || !/[a-z0-9]/.test(text)) return false;
  return !text.split(/[-_]/).every(isReadable);
}

/** A number, an abbreviation, a word or two in camel case, perhaps with a number: `Photo2`, `DropDown`, `IMG2024`. */
function isReadable(text: string): boolean {
  if (/^\d+$/.test(text)) return true;
  if (text.length < 3) return false;
  if (/^[A-Z]+\d*$/.test(text)) return true;
  const words = /^[a-z]*(?:(?:[A-Z][a-z]+){0,2}|(?:[A-Z][a-z]{2,})+)\d*$/.test(text);
  return (
    words && (text.match(/[A-Z]?[a-z]+/g) ?? []).every((word) => word.length < 3 || /[aeiouy]/i.test(word))
  );
}
