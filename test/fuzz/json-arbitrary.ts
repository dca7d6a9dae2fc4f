/** Values that a schema of the contract takes, drawn at random: what a fuzzed request is damaged from. */
import fc, { type Arbitrary } from 'fast-check';
import { z } from 'zod';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What `z.toJSONSchema` makes of the contract's schemas. */
type Node = {
  $ref?: string;
  $defs?: Record<string, Node>;
  type?: string;
  const?: Json;
  enum?: Json[];
  anyOf?: Node[];
  oneOf?: Node[];
  allOf?: Node[];
  properties?: Record<string, Node>;
  required?: string[];
  additionalProperties?: Node | boolean;
  propertyNames?: Node;
  items?: Node;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
};

/** Mostly values that `schema` takes: what JSON Schema cannot say of it is not known here. */
export function arbitraryOf(schema: z.ZodType): Arbitrary<Json> {
  const top = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node;
  return arbitraryOfNode(top, top.$defs ?? {});
}

function arbitraryOfNode(node: Node, defs: Record<string, Node>): Arbitrary<Json> {
  const inner = (one: Node) => arbitraryOfNode(one, defs);
  if (node.$ref !== undefined) return inner(defs[node.$ref.split('/').at(-1) as string] ?? {});
  if (node.const !== undefined) return fc.constant(node.const);
  if (node.enum !== undefined) return fc.constantFrom(...node.enum);
  const choices = node.anyOf ?? node.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map(inner));
  if (node.allOf !== undefined) return inner(Object.assign({}, ...node.allOf));
  switch (node.type) {
    case 'boolean':
      return fc.boolean();
    case 'integer':
    case 'number':
      return fc.integer({
        min: Math.max(node.minimum ?? node.exclusiveMinimum ?? 0, -1e9),
        max: Math.min(node.maximum ?? 1e9, 1e9),
      });
    case 'string':
      return arbitraryText(node);
    case 'array':
      return fc.array(inner(node.items ?? {}), {
        minLength: node.minItems ?? 0,
        maxLength: Math.max(node.minItems ?? 0, Math.min(node.maxItems ?? 4, 4)),
      });
    case 'object':
      return arbitraryObject(node, inner);
    default:
      return fc.constantFrom<Json>(null, 1, 'text');
  }
}

function arbitraryText({ pattern, minLength = 0, maxLength = 40 }: Node): Arbitrary<Json> {
  const plain = fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 40)) });
  if (pattern === undefined) return plain;
  try {
    return fc.stringMatching(new RegExp(pattern, 'u'));
  } catch {
    // It looks ahead or behind. Of the contract's patterns most take one of these.
    return fc.oneof(fc.constantFrom('own-site', 'index.html', 'main', '/a', 'A_NAME'), plain);
  }
}

function arbitraryObject(node: Node, inner: (one: Node) => Arbitrary<Json>): Arbitrary<Json> {
  const { properties, additionalProperties: more, propertyNames } = node;
  if (properties === undefined && typeof more === 'object') {
    return fc.dictionary(inner(propertyNames ?? { type: 'string' }) as Arbitrary<string>, inner(more), {
      maxKeys: 4,
      noNullPrototype: true,
    });
  }
  const record = Object.fromEntries(Object.entries(properties ?? {}).map(([key, one]) => [key, inner(one)]));
  return fc.record(record, { requiredKeys: node.required ?? [], noNullPrototype: true }) as Arbitrary<Json>;
}
