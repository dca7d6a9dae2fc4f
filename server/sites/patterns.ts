/** Path patterns: `/old`, `/blog/:slug` (one part), `/docs/*` (the rest), `/*.js`. */

type Token = { kind: 'text'; text: string } | { kind: 'name'; name: string } | { kind: 'rest' };

export type Pattern = {
  /** What every path that it matches begins with: most are told apart by that, which costs little. */
  begins: string;
  tokens: readonly Token[];
  /** For `/docs/*`: the pattern `/docs`, which it matches too. */
  stem: readonly Token[] | null;
};

/** Reads a pattern. `:name` counts as a name where it is a whole part; everything but it and `*` is text. */
export function parsePattern(source: string): Pattern {
  const bare = stripSlash(source);
  const tokens = tokensOf(bare);
  const stem = bare.endsWith('/*') ? tokensOf(bare.slice(0, -2)) : null;
  const [first] = stem ?? tokens;
  return { begins: first?.kind === 'text' ? first.text : '', tokens, stem };
}

/**
 * The names that `pattern` finds in `path` (decoded), `splat` among them for the first `*`; null when it does not match.
 * A slash at the end makes no difference.
 */
export function matchPattern(pattern: Pattern, path: string): ReadonlyMap<string, string> | null {
  if (!path.startsWith(pattern.begins)) return null;
  const names = match(pattern.tokens, path) ?? match(pattern.tokens, stripSlash(path));
  if (names !== null || pattern.stem === null) return names;
  return match(pattern.stem, stripSlash(path))?.set('splat', '') ?? null;
}

/** `path` without its last `/`; `/` itself becomes `''`. */
export function stripSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  for (const piece of source.split(/(\*+|(?<=\/):[A-Za-z_]\w*(?=\/|$))/)) {
    if (piece === '') continue;
    if (piece.startsWith('*')) tokens.push({ kind: 'rest' });
    else if (/^:[A-Za-z_]\w*$/.test(piece)) tokens.push({ kind: 'name', name: piece.slice(1) });
    else tokens.push({ kind: 'text', text: piece });
  }
  return tokens;
}

/** A `*` first takes nothing, and one character more each time that what follows it does not fit; only the last is moved. */
function match(tokens: readonly Token[], path: string): Map<string, string> | null {
  const names = new Map<string, string>();
  let rest: { token: number; from: number; to: number; first: boolean } | null = null;
  let token = 0;
  let at = 0;
  for (;;) {
    const next = tokens[token];
    if (next === undefined && at === path.length) return names;
    if (next?.kind === 'rest') {
      rest = { token, from: at, to: at, first: rest === null };
      if (rest.first) names.set('splat', '');
      token += 1;
      continue;
    }
    const taken = next === undefined ? null : take(next, path, at, names);
    if (taken !== null) {
      at += taken;
      token += 1;
      continue;
    }
    if (rest === null || rest.to === path.length) return null;
    rest.to += 1;
    if (rest.first) names.set('splat', path.slice(rest.from, rest.to));
    at = rest.to;
    token = rest.token + 1;
  }
}

/** How many characters `token` takes of `path` at `at`; null when it does not fit there. */
function take(
  token: Exclude<Token, { kind: 'rest' }>,
  path: string,
  at: number,
  names: Map<string, string>,
): number | null {
  if (token.kind === 'text') return path.startsWith(token.text, at) ? token.text.length : null;
  const slash = path.indexOf('/', at);
  const end = slash === -1 ? path.length : slash;
  if (end === at) return null;
  names.set(token.name, path.slice(at, end));
  return end - at;
}
