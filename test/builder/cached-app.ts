/** An application whose page says what it has been given of an earlier build. */
import type { Tree } from '../files/tree.ts';

/**
 * One package, installed by npm, with an install script of its own. The page is `hello COUNT yes`: how many builds have had
 * the framework's cache, and that the script has run.
 */
export const cachedApp = (files: Tree = {}): Tree => ({
  'package.json': JSON.stringify({
    name: 'app',
    version: '1.0.0',
    scripts: { build: 'node build.cjs', postinstall: 'node prepare.cjs' },
    dependencies: { greeting: 'file:./greeting' },
  }),
  'package-lock.json': JSON.stringify({
    name: 'app',
    version: '1.0.0',
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': { name: 'app', version: '1.0.0', dependencies: { greeting: 'file:./greeting' } },
      greeting: { version: '1.0.0' },
      'node_modules/greeting': { resolved: 'greeting', link: true },
    },
  }),
  'greeting/package.json': JSON.stringify({ name: 'greeting', version: '1.0.0' }),
  'greeting/index.js': 'module.exports = "hello";',
  'prepare.cjs': 'require("fs").writeFileSync("prepared.txt", "yes");',
  'build.cjs': `const fs = require('fs');
    fs.mkdirSync('out', { recursive: true });
    fs.mkdirSync('node_modules/.cache', { recursive: true });
    const counter = 'node_modules/.cache/count';
    const count = fs.existsSync(counter) ? Number(fs.readFileSync(counter, 'utf8')) + 1 : 1;
    fs.writeFileSync(counter, String(count));
    fs.writeFileSync('out/index.html', [require('greeting'), count, fs.readFileSync('prepared.txt')].join(' '));`,
  'sphere.json': JSON.stringify({ outputDirectory: 'out' }),
  ...files,
});
