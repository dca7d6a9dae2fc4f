/** What a TypeScript file imports and which globals it touches, read from its syntax tree. */
import { parseSync } from 'vite';

export type ImportSeen = {
  specifier: string;
  /** `lazy` is `import()` as an expression; a type alone is `static`, because it couples all the same. */
  kind: 'static' | 'lazy';
  line: number;
};

export type SourceFile = {
  /** From the repository's root, with `/`. */
  path: string;
  lines: string[];
  imports: ImportSeen[];
  /** `process.exit`, `process.env` and the like: the property's name. */
  processUses: { property: string; line: number }[];
  /** Every statement only passes on what other files export. */
  onlyReExports: boolean;
};

type Node = { type: string; start: number; [key: string]: unknown };

/** Reads `text` as the TypeScript file `path`. Throws when it does not parse. */
export function readSource(path: string, text: string): SourceFile {
  const { program, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path} does not parse: ${errors[0].message}`);
  const lineOf = (node: Node) => text.slice(0, node.start).split('\n').length;
  const imports: ImportSeen[] = [];
  const processUses: SourceFile['processUses'] = [];

  visit(program as unknown as Node, (node) => {
    const source = node.source as Node | null | undefined;
    if (typeof source?.value === 'string') {
      const kind = node.type === 'ImportExpression' ? 'lazy' : 'static';
      imports.push({ specifier: source.value, kind, line: lineOf(node) });
    }
    for (const property of processProperties(node)) processUses.push({ property, line: lineOf(node) });
  });
  const body = (program as unknown as { body: Node[] }).body;
  const onlyReExports = body.every(passesOn) && body.some(({ type }) => type.startsWith('Export'));
  return { path, lines: text.split('\n'), imports, processUses, onlyReExports };
}

function passesOn(statement: Node): boolean {
  if (statement.type === 'ExportAllDeclaration' || statement.type === 'ImportDeclaration') return true;
  return statement.type === 'ExportNamedDeclaration' && statement.declaration === null;
}

/** `process.x`, `const { x } = process` and `import { x } from 'node:process'` all touch `x`. */
function processProperties(node: Node): string[] {
  if (node.type === 'MemberExpression' && isProcess(node.object)) return [nameOf(node.property)];
  if (node.type === 'VariableDeclarator' && isProcess(node.init)) {
    const { properties } = node.id as { properties?: { key: unknown }[] };
    return (properties ?? []).map(({ key }) => nameOf(key));
  }
  if (node.type === 'ImportDeclaration' && /^(node:)?process$/.test(String((node.source as Node).value))) {
    return (node.specifiers as { imported?: unknown }[]).flatMap(({ imported }) =>
      imported === undefined ? [] : [nameOf(imported)],
    );
  }
  return [];
}

function isProcess(node: unknown): boolean {
  const { type, name, object, property } = (node ?? {}) as Record<string, unknown>;
  if (type === 'Identifier') return name === 'process';
  return type === 'MemberExpression' && nameOf(object) === 'globalThis' && nameOf(property) === 'process';
}

/** An identifier's name, or the text of a literal such as in `process['env']`. */
function nameOf(node: unknown): string {
  const { name, value } = (node ?? {}) as { name?: string; value?: unknown };
  return name ?? String(value ?? '');
}

function visit(node: Node, see: (node: Node) => void): void {
  see(node);
  for (const child of Object.values(node)) {
    for (const one of Array.isArray(child) ? child : [child]) {
      if (one !== null && typeof one === 'object' && 'type' in one) visit(one as Node, see);
    }
  }
}
