/** Reads a CloudFormation template as data: a short tag such as `!Ref x` becomes its long form `{ Ref: x }`. */
import { type CollectionTag, parse, type ScalarTag } from 'yaml';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Resource = { Type: string; Condition?: string; Properties: Record<string, Json> };
export type Template = {
  Parameters: Record<string, { Type: string }>;
  Conditions: Record<string, Json>;
  Resources: Record<string, Resource>;
  Outputs: Record<string, { Value: Json; Condition?: string }>;
};

const functions = ['Sub', 'GetAtt', 'Join', 'If', 'Equals', 'Not', 'And', 'Or', 'Select', 'Split'];

const tags = ['Ref', 'Condition', ...functions].flatMap((name): (ScalarTag | CollectionTag)[] => {
  const key = functions.includes(name) ? `Fn::${name}` : name;
  const scalar: ScalarTag = { tag: `!${name}`, resolve: (text) => ({ [key]: text }) };
  const sequence: CollectionTag = {
    tag: `!${name}`,
    collection: 'seq',
    resolve: (items) => ({ [key]: (items as unknown as { toJSON(): Json[] }).toJSON() }),
  };
  return [scalar, sequence];
});

export function parseTemplate(text: string): Template {
  return parse(text, { customTags: tags }) as Template;
}

/** Every value in `json` with the keys that lead to it, the outer ones first. */
export function walk(json: Json, path: readonly string[] = []): { path: readonly string[]; value: Json }[] {
  const inner =
    json === null || typeof json !== 'object'
      ? []
      : Object.entries(json).flatMap(([key, value]) => walk(value as Json, [...path, key]));
  return [{ path, value: json }, ...inner];
}

/** What `json` refers to: names of parameters and resources (`attribute` null), and attributes of resources. */
export function references(json: Json): { name: string; attribute: string | null }[] {
  return walk(json).flatMap(({ value }) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return [];
    if (typeof value.Ref === 'string') return [{ name: value.Ref, attribute: null }];
    const got = value['Fn::GetAtt'];
    if (typeof got === 'string') return [split(got)];
    const sub = value['Fn::Sub'];
    if (sub === undefined) return [];
    const [text, own] = Array.isArray(sub) ? sub : [sub, {}];
    const names = [...String(text).matchAll(/\$\{([^!}][^}]*)\}/g)].map((match) => match[1] as string);
    return names.filter((name) => !(name in (own as object))).map(split);
  });
}

function split(name: string): { name: string; attribute: string | null } {
  const dot = name.indexOf('.');
  return dot === -1
    ? { name, attribute: null }
    : { name: name.slice(0, dot), attribute: name.slice(dot + 1) };
}

/** Conditions that are named in `json`. */
export function conditionsIn(json: Json): string[] {
  return walk(json).flatMap(({ value }) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return [];
    const chosen = value['Fn::If'];
    return Array.isArray(chosen) ? [String(chosen[0])] : [];
  });
}
