/** What of a site's serving settings cannot be meant so. Pure. */
import type { Serving } from '../../contract/configuration.ts';

/** One sentence for each thing; `files`: what the site has, by path. */
export function servingWarnings(serving: Serving, files: Readonly<Record<string, unknown>>): string[] {
  const { notFound, redirects = [] } = serving;
  const missing =
    notFound !== undefined && !Object.hasOwn(files, notFound)
      ? [`The page for unknown paths, ${notFound}, is not in the output.`]
      : [];
  const unknown = redirects.flatMap(({ source, destination }) => {
    const known = namesIn(source);
    const names = namesIn(destination).filter((name) => name !== 'splat' && !known.includes(name));
    return names.map((name) => `The redirect from ${source} names :${name}, which its source does not have.`);
  });
  return [...missing, ...unknown];
}

const namesIn = (path: string) =>
  [...path.matchAll(/\/:([A-Za-z_]\w*)(?=[/?#]|$)/g)].map(([, name]) => name as string);
