/** What is generated from `contract/` is up to date. `npm run generate` writes it anew. */
import { expect, test } from 'vitest';
import { referenceText } from '../../scripts/generate/reference.ts';
import { schemaText } from '../../scripts/generate/schema.ts';

test.each([
  ['schema/sphere.schema.json', schemaText],
  ['docs/reference.md', referenceText],
])('%s is what the contract says', async (path, text) => {
  await expect(text()).toMatchFileSnapshot(`../../${path}`);
});
