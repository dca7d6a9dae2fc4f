#!/usr/bin/env node
/** The program `sphere`. */
import { version } from '../contract/version.ts';

const argv = process.argv.slice(2);

// Start-up is a feature: the version is printed before anything else is loaded.
if (argv.length === 1 && ['-v', '-V', '--version'].includes(argv[0] as string)) {
  process.stdout.write(`${version}\n`);
} else {
  import('./run.ts').then(({ run }) => run(argv, process, (code) => process.exit(code)));
}
