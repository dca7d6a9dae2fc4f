/** Source trees for tests of planning, which touch no disk. */
import { joinPath, type SourceEntry, type SourceFiles } from '../../builder/plan/source-files.ts';

/** A tree written out as an object: paths to contents. A value that is no string is a file of JSON. */
export function literalSourceFiles(
  tree: Record<string, unknown>,
  changedAt?: Record<string, number>,
): SourceFiles {
  const texts = new Map(
    Object.entries(tree).map(([path, content]) => [
      joinPath(path),
      typeof content === 'string' ? content : JSON.stringify(content),
    ]),
  );
  const below = (directory: string) => (joinPath(directory) === '.' ? '' : `${joinPath(directory)}/`);
  const isDirectory = (path: string) => [...texts.keys()].some((file) => file.startsWith(below(path)));
  return {
    async read(path) {
      return texts.get(joinPath(path)) ?? null;
    },
    async exists(path) {
      return texts.has(joinPath(path)) || isDirectory(path);
    },
    async list(directory) {
      const start = below(directory);
      const entries = new Map<string, SourceEntry>();
      for (const path of [...texts.keys()].sort()) {
        if (!path.startsWith(start)) continue;
        const [name = '', ...rest] = path.slice(start.length).split('/');
        entries.set(name, { name, kind: rest.length > 0 ? 'directory' : 'file' });
      }
      return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    ...(changedAt === undefined ? {} : { changedAt: async (path: string) => changedAt[path] ?? null }),
  };
}
