/** docs/reference.md: every setting, name and code, made from `contract/`. */
import { z } from 'zod';
import { configurationSchema } from '../../contract/configuration.ts';
import {
  buildEnvironment,
  cliEnvironment,
  hostedEnvironment,
  serverEnvironment,
} from '../../contract/environment.ts';
import { errorCodes, exitCodeMeanings, exitCodeOf, httpStatusOf } from '../../contract/errors.ts';

type Property = {
  description?: string;
  type?: string;
  anyOf?: Property[];
  items?: Property;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Property>;
  required?: string[];
};

/** The text of `docs/reference.md`. */
export function referenceText(): string {
  const schema = z.toJSONSchema(configurationSchema, { target: 'draft-7', io: 'input' }) as Property;
  const parts = [
    '# Reference',
    'Generated from `contract/` by `npm run generate`.',
    '## sphere.json',
    keyTable(schema),
    ...nested(schema),
    '## Environment',
    'Read by the CLI, below flags and above `sphere.json`:',
    nameTable(cliEnvironment),
    'Read by `sphere server` on this machine, as well as `SPHERE_HOME`:',
    nameTable(serverEnvironment),
    'Read by `sphere server` and `sphere server check` for a hosted plane, which has `DATABASE_URL` and a name that only hosted planes read:',
    nameTable(hostedEnvironment),
    'Set inside builds:',
    nameTable(buildEnvironment),
    '## Exit codes',
    table(['code', 'meaning'], Object.entries(exitCodeMeanings)),
    '## Error codes',
    'In `error.code` of a response and of `--json` output.',
    table(
      ['code', 'HTTP status', 'exit code'],
      errorCodes.map((code) => [`\`${code}\``, String(httpStatusOf(code)), String(exitCodeOf(code))]),
    ),
  ];
  return `${parts.join('\n\n')}\n`;
}

function keyTable(schema: Property): string {
  const rows = Object.entries(schema.properties ?? {}).map(([key, property]) => [
    `\`${key}\`${schema.required?.includes(key) ? ' (required)' : ''}`,
    typeOf(property),
    property.description ?? '',
  ]);
  return table(['key', 'type', 'meaning'], rows);
}

/** A table for each list of objects, such as `redirects`, and each object, such as `previews`. */
function nested(schema: Property): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const inner = property.items ?? property;
    return inner.properties ? [`### ${key}`, keyTable(inner)] : [];
  });
}

function typeOf(property: Property): string {
  if (property.anyOf) return property.anyOf.map(typeOf).join(' or ');
  if (property.const !== undefined) return `\`${JSON.stringify(property.const)}\``;
  if (property.enum) return property.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (property.type === 'array') return `list of ${property.items ? typeOf(property.items) : 'values'}`;
  return property.type ?? '';
}

const nameTable = (names: Record<string, string>) =>
  table(
    ['name', 'meaning'],
    Object.entries(names).map(([name, meaning]) => [`\`${name}\``, meaning]),
  );

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
