/** What is generated from `contract/`, the commands of the CLI and the kept trials is up to date. `npm run generate` writes it anew. */
import { expect, test } from 'vitest';
import { commandsText } from '../../scripts/generate/commands.ts';
import { compatibilityText } from '../../scripts/generate/compatibility.ts';
import { readTrials } from '../../scripts/generate/compatibility-trials.ts';
import { referenceText } from '../../scripts/generate/reference.ts';
import { schemaText } from '../../scripts/generate/schema.ts';

const compatibility = () => {
  const { entries, record, changed } = readTrials();
  return compatibilityText(entries, record, changed);
};

test.each([
  ['schema/sphere.schema.json', schemaText],
  ['docs/reference.md', referenceText],
  ['docs/commands.md', commandsText],
  ['docs/compatibility.md', compatibility],
])('%s is what it is made from', async (path, text) => {
  await expect(await text()).toMatchFileSnapshot(`../../${path}`);
});
