/** What strangers send: values that programs stumble over, and requests that are damaged with them. */
import fc, { type Arbitrary } from 'fast-check';

/** Texts that have ended programs before: NUL, halves of characters, escapes, paths, SQL, HTML, names of prototypes. */
export const hostileTexts = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'x\udfffy',
  '\u202egpj.exe',
  '\u001b[2J',
  'a\nb\r\nc: d',
  '../../etc/passwd',
  '..%2f..%2fetc',
  '/',
  '\\\\host\\share',
  'CON',
  'nul.txt',
  "' or 1=1 --",
  '"; drop table deployments; --',
  '<script>alert(1)</script>',
  '$' + '{7*7}{{7*7}}%n%s',
  '__proto__',
  'constructor',
  'toString',
  'İ',
  'ﬀ',
  'a'.repeat(300),
  'ü'.repeat(5_000),
  '--upload-pack=touch /tmp/x',
  'ext::sh -c touch% /tmp/x',
  'http://169.254.169.254/latest/meta-data/',
  'file:///etc/passwd',
  '1e309',
  'NaN',
  '2026-13-45T99:99:99Z',
];

export const hostileValues: readonly unknown[] = [
  ...hostileTexts,
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  2 ** 53,
  -(2 ** 63),
  [],
  {},
  [[]],
  [null],
  { length: 1e9 },
  { toString: 'x' },
  JSON.parse('{"__proto__":{"polluted":true}}'),
  Array.from({ length: 2_000 }, (_, n) => n),
  nested(200),
];

function nested(depth: number): unknown {
  return depth === 0 ? 'deep' : { a: [nested(depth - 1)] };
}

const hostile = fc.constantFrom(...hostileValues);

/** `value` with one to three things wrong: a part replaced, left out, doubled in kind, or added. */
export function damaged(value: Arbitrary<unknown>): Arbitrary<unknown> {
  const one = fc.record({ at: fc.nat(), how: fc.constantFrom('replace', 'drop', 'add', 'wrap'), hostile });
  return fc
    .tuple(value, fc.array(one, { minLength: 1, maxLength: 3 }))
    .map(([whole, damages]) => damages.reduce<unknown>((left, damage) => damageAt(left, damage), whole));
}

type Damage = { at: number; how: string; hostile: unknown };

/** Damages the part at which the count `at` ends, counted through all parts. */
function damageAt(whole: unknown, damage: Damage): unknown {
  const copy = structuredClone(whole);
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const visit = (part: unknown) => {
    if (typeof part !== 'object' || part === null) return;
    for (const key of Object.keys(part)) {
      places.push({ holder: part as Record<string, unknown>, key });
      visit((part as Record<string, unknown>)[key]);
    }
  };
  visit(copy);
  const place = places[damage.at % Math.max(1, places.length + 1)];
  if (place === undefined) return damage.hostile;
  const { holder, key } = place;
  if (damage.how === 'drop') delete holder[key];
  else if (damage.how === 'wrap') holder[key] = [holder[key]];
  else if (damage.how === 'add')
    holder[typeof damage.hostile === 'string' ? damage.hostile : 'more'] = damage.hostile;
  else holder[key] = damage.hostile;
  return copy;
}
