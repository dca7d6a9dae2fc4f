/** Serving settings that cannot be meant so are warned of. */
import { expect, test } from 'vitest';
import { servingWarnings } from '../../builder/output/serving-warnings.ts';
import type { Serving } from '../../contract/configuration.ts';

test.each<[string, Serving, string[]]>([
  ['a page that is there', { notFound: 'none.html' }, []],
  [
    'one that is not',
    { notFound: 'nope.html' },
    ['The page for unknown paths, nope.html, is not in the output.'],
  ],
  [
    'names of the source',
    {
      redirects: [
        { source: '/a/:x/*', destination: '/b/:x/:splat' },
        { source: '/out', destination: 'https://example.com:8080/here' },
      ],
    },
    [],
  ],
  [
    'a name that the source does not have',
    { redirects: [{ source: '/a/:x', destination: '/b/:y?z=1' }] },
    ['The redirect from /a/:x names :y, which its source does not have.'],
  ],
])('%s', (_, serving, warnings) => {
  expect(servingWarnings(serving, { 'index.html': {}, 'none.html': {} })).toEqual(warnings);
});
