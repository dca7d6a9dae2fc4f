/** Reads the settings of other tools in a directory, and makes one `sphere.json` of them. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Configuration } from '../../contract/configuration.ts';
import { readConfiguration } from '../../files/configuration-file.ts';
import { withFile } from '../../files/file-error.ts';
import { type Collector, collect, type Imported } from './findings.ts';
import { importNetlify } from './netlify.ts';
import { importHeadersFile, importRedirectsFile } from './netlify-rules.ts';
import { importVercel } from './vercel.ts';

type Reader = (text: string, file: string, into: Collector) => void;

/** In the order in which they count: on Netlify the two files come before netlify.toml. */
const readers: readonly [name: string, read: Reader][] = [
  ['vercel.json', importVercel],
  ...['', 'public/', 'static/'].flatMap((place): [string, Reader][] => [
    [`${place}_redirects`, importRedirectsFile],
    [`${place}_headers`, importHeadersFile],
  ]),
  ['netlify.toml', importNetlify],
];

/** The names of what is looked for. */
export const importedFiles: readonly string[] = readers.map(([name]) => name);

/** Everything that carries over from the files in `directory`, and everything that does not. `files`: those that were there. */
export function importSettings(directory: string): Imported & { files: string[] } {
  const into = collect();
  const files = importedFiles.filter((name) => existsSync(path.join(directory, name)));
  for (const [name, read] of readers) {
    if (!files.includes(name)) continue;
    const file = path.join(directory, name);
    read(
      withFile({ what: file, done: 'read' }, () => readFileSync(file, 'utf8')),
      name,
      into,
    );
  }
  return { configuration: valid(into), findings: into.findings, files };
}

/** What `sphere.json` does not take is left out, with what is wrong with it. */
function valid({ configuration, leave }: Collector): Configuration {
  let rest: Configuration = configuration;
  for (;;) {
    const parsed = readConfiguration(JSON.stringify(rest));
    if (parsed.ok) return parsed.configuration;
    const [problem] = parsed.problems;
    const [, key = '', index] = /^(\w+)(?:\[(\d+)\])?/.exec(problem?.path ?? '') ?? [];
    const name = key as keyof Configuration;
    const list = rest[name];
    const value = index === undefined || !Array.isArray(list) ? list : list[Number(index)];
    leave(JSON.stringify(value), `sphere.json does not take it: ${problem?.path} ${problem?.message}`);
    const { [name]: _, ...others } = rest;
    const kept =
      index !== undefined && Array.isArray(list) ? list.filter((_item, at) => at !== Number(index)) : [];
    rest = kept.length > 0 ? ({ ...others, [name]: kept } as Configuration) : others;
  }
}
