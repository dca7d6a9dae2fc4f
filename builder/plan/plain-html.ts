/** Sites that are there already: HTML files, and no program that would make them. */
import { SphereError } from '../../contract/errors.ts';
import type { PackageJson } from './package-json.ts';
import { joinPath, type SourceFiles } from './source-files.ts';

/** Where the HTML is, relative to the source. */
export type PlainHtml = { directory: string; why: string; warnings: string[] };

const usualDirectories = [
  'public',
  'dist',
  'site',
  'docs',
  'www',
  'html',
  'build',
  '_site',
  'out',
  'web',
  'static',
  'src',
  'app',
];

/** Names at a project's top that belong to the project and not to its site. */
export const projectFiles: readonly string[] = [
  'node_modules',
  'package.json',
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'yarn.lock',
  'bun.lock',
  'bun.lockb',
  'sphere.json',
  'vercel.json',
  'netlify.toml',
  'wrangler.toml',
  'firebase.json',
];

/** Finds the HTML in `directory` or just below it; null when there is none. */
export async function findPlainHtml(files: SourceFiles, directory: string): Promise<PlainHtml | null> {
  const entries = await files.list(directory);
  const subdirectories = entries.filter((entry) => entry.kind === 'directory').map((entry) => entry.name);
  const usual = usualDirectories.filter((name) => subdirectories.includes(name));
  for (const name of ['.', ...usual]) {
    const path = joinPath(directory, name, 'index.html');
    const text = await files.read(path);
    if (text !== null) return found(joinPath(directory, name), `found ${path}`, unbuiltScript(path, text));
  }
  const others: string[] = [];
  for (const name of subdirectories.filter((candidate) => !/^\.|^node_modules$/.test(candidate))) {
    if (await files.exists(joinPath(directory, name, 'index.html'))) others.push(name);
  }
  const [only, second] = others;
  if (only !== undefined && second === undefined) {
    return found(joinPath(directory, only), `found ${joinPath(directory, only, 'index.html')}`, []);
  }
  const page = entries.find((entry) => entry.kind === 'file' && /\.html?$/i.test(entry.name));
  if (page === undefined) return null;
  return found(directory, `found ${joinPath(directory, page.name)}`, [
    `There is no index.html beside ${joinPath(directory, page.name)}: the site's own address will have no page.`,
  ]);
}

function found(directory: string, why: string, warnings: string[]): PlainHtml {
  return { directory, why, warnings };
}

function unbuiltScript(path: string, text: string): string[] {
  const script = /<script[^>]+src=["']([^"']+\.(?:tsx?|jsx|vue|svelte))["']/i.exec(text)?.[1];
  if (script === undefined) return [];
  return [`${path} loads ${script}, which no browser can run, and nothing here says how to build it.`];
}

const otherTools: readonly { name: string; files: readonly string[]; output: string }[] = [
  {
    name: 'Hugo',
    files: ['hugo.toml', 'hugo.yaml', 'hugo.json', 'config/_default/hugo.toml'],
    output: 'public',
  },
  { name: 'Jekyll', files: ['_config.yml', '_config.yaml'], output: '_site' },
  { name: 'MkDocs', files: ['mkdocs.yml'], output: 'site' },
  { name: 'mdBook', files: ['book.toml'], output: 'book' },
];

/** Throws when the source is made by a generator that Sphere cannot run, and whose templates look like pages. */
export async function refuseOtherGenerators(files: SourceFiles, directory: string): Promise<void> {
  const index = await files.read(joinPath(directory, 'index.html'));
  // A whole page of its own is served as it is, whatever lies beside it.
  if (index !== null && !index.startsWith('---')) return;
  for (const tool of otherTools) {
    for (const name of tool.files) {
      const path = joinPath(directory, name);
      if (!(await files.exists(path))) continue;
      throw new SphereError(
        'CONFIGURATION_INVALID',
        `${path} says that this is a ${tool.name} site, and builds have no ${tool.name}.`,
        {
          hint:
            `Build it yourself and run \`sphere deploy --prebuilt ${tool.output}\`, or set "buildCommand" and ` +
            '"outputDirectory" in sphere.json to a command that builds have.',
        },
      );
    }
  }
}

const servers = [
  'express',
  'fastify',
  'koa',
  'hono',
  '@hapi/hapi',
  '@nestjs/core',
  '@adonisjs/core',
  'elysia',
  'h3',
];

/** The error for a source in which there is nothing to publish and nothing to build. */
export async function nothingToPublish(
  files: SourceFiles,
  directory: string,
  packageJson: PackageJson | null,
): Promise<SphereError> {
  const server = servers.find((name) => packageJson?.dependencies[name] !== undefined);
  if (packageJson !== null && server !== undefined) {
    return new SphereError(
      'NOT_STATIC',
      `${packageJson.path} depends on ${server} and has no build script, and there is no HTML: this is a server.`,
      { hint: 'Sphere publishes files. Deploy the frontend, with --root DIR when it is in a directory.' },
    );
  }
  const entries = (await files.list(directory)).map(({ name, kind }) =>
    kind === 'directory' ? `${name}/` : name,
  );
  const scripts = Object.keys(packageJson?.scripts ?? {});
  const place = directory === '.' ? 'the source' : directory;
  return new SphereError(
    'CONFIGURATION_INVALID',
    `There is nothing to publish in ${place}: no known framework, no build script and no index.html.`,
    {
      hint: 'Set "buildCommand" and "outputDirectory" in sphere.json, or name the directory of the site with --root DIR.',
      details: [
        `Looked for a framework and a build script in ${joinPath(directory, 'package.json')}, and for index.html ` +
          `in ${place} and in ${usualDirectories.join(', ')}.`,
        packageJson === null
          ? `There is no ${joinPath(directory, 'package.json')}.`
          : `Its scripts: ${scripts.join(', ') || 'none'}.`,
        `Seen: ${entries.slice(0, 30).join(', ') || 'nothing'}${entries.length > 30 ? ', …' : ''}`,
      ],
    },
  );
}
