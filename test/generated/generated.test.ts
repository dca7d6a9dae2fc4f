/** What is generated from `contract/` and the commands of the CLI is up to date. `npm run generate` writes it anew. */
import { expect, test } from 'vitest';
import { commandsText } from '../../scripts/generate/commands.ts';
import { referenceText } from '../../scripts/generate/reference.ts';
import { schemaText } from '../../scripts/generate/schema.ts';

test.each([
  ['schema/sphere.schema.json', schemaText],
  ['docs/reference.md', referenceText],
  ['docs/commands.md', commandsText],
])('%s is what the contract says', async (path, text) => {
  await expect(await text()).toMatchFileSnapshot(`../../${path}`);
});
