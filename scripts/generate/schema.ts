/** The JSON schema of `sphere.json`, for editors: made from the zod schema. */
import { z } from 'zod';
import { configurationSchema } from '../../contract/configuration.ts';

/** The text of `schema/sphere.schema.json`. */
export function schemaText(): string {
  const schema = z.toJSONSchema(configurationSchema, { target: 'draft-7', io: 'input' });
  return `${JSON.stringify({ title: 'sphere.json', ...schema }, null, 2)}\n`;
}
