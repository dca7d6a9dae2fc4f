/** What is read out of a configuration file without running it. */
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../builder/plan/config-text.ts';

const config = (text: string) => parseConfig('some.config.ts', text);

describe('a literal setting is read', () => {
  test.each([
    ['in an object', "export default { build: { outDir: 'web' } };"],
    ['in a call', "export default defineConfig({ build: { outDir: 'web' } });"],
    ['in a function', "export default defineConfig(({ mode }) => { return { build: { outDir: 'web' } }; });"],
    ['with quoted names', '({ "build": { "outDir": "web" } })'],
    ['as a template without holes', 'export default { build: { outDir: `web` } }'],
    [
      'after a regular expression with quotes',
      "const r = /['\"]/; export default { build: { outDir: 'web' } }",
    ],
    ['beside comments', "export default { build: { /* outDir: 'x', */ outDir: 'web', // outDir: 'y'\n } }"],
    ['after a call', "export default { plugins: [a({ outDir: 'x' })], build: { outDir: 'web' } }"],
    ['joined to the directory', "export default { build: { outDir: path.resolve(__dirname, 'web') } }"],
    ['joined from parts', "export default { build: { outDir: join(import.meta.dirname, '.', 'web') } }"],
    ['as a URL', "export default { build: { outDir: fileURLToPath(new URL('web', import.meta.url)) } }"],
    ['in a function that says its type', "export default (): UserConfig => ({ build: { outDir: 'web' } })"],
    ['after a condition about something else', "({ ...(ci && { base: '/' }), build: { outDir: 'web' } })"],
    ['with a type', "export default { build: { outDir: 'web' as const } } satisfies UserConfig"],
  ])('%s', (_name, text) => {
    expect(config(text).text('build.outDir')).toBe('web');
  });

  test('assigned to a property', () => {
    expect(config("const c = {};\nc.output = 'export'\nmodule.exports = c").text('output')).toBe('export');
  });
});

describe('anything else is not', () => {
  test.each([
    ['a condition', "({ base: ci ? '/x/' : '/' })"],
    ['a sum', "({ base: '/x' + y })"],
    ['a variable', '({ base: prefix })'],
    ['a shorthand', '({ base })'],
    ['a template with holes', `({ base: \`/\${name}/\` })`],
    ['a call', "({ base: env('BASE') })"],
    ['a joined variable', "({ base: resolve(root, 'x') })"],
    ['what is spread on a condition', "({ ...(process.env.CI && { base: '/x/' }) })"],
    ['what is spread otherwise', "({ ...(local || { base: '/x/' }) })"],
    ['one side of a choice', "({ ...(ci ? { base: '/x/' } : {}) })"],
    ['the other side of a choice', "({ ...(local ? {} : { base: '/x/' }) })"],
  ])('%s', (_name, text) => {
    const found = config(text);
    expect(found.text('base')).toBeNull();
    expect(found.has('base')).toBe(true);
  });

  test('a property of the same name elsewhere', () => {
    expect(config("({ test: { root: 'x' }, plugins: [a({ root: 'y' })] })").has('root')).toBe(false);
  });

  test('two values', () => {
    expect(
      config("({ a: [{ base: '/x' }], b: 1 }); ({ base: '/y' }); ({ base: '/z' })").text('base'),
    ).toBeNull();
  });

  test('a file that is no JavaScript', () => {
    expect(config('}}} ))) "open').has('base')).toBe(false);
  });
});

test('imports are known, and whether a setting can come from another file', () => {
  const found = config("import a from 'a';\nimport './env.mjs';\nconst b = require('b'); await import('c');");
  expect(found.imports).toEqual(['a', './env.mjs', 'b', 'c']);
  expect(found.usesOtherFiles).toBe(false);
  expect(config("import base from './base.js';").usesOtherFiles).toBe(true);
  expect(config("const base = require('../base');").usesOtherFiles).toBe(true);
});
