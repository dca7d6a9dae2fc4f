/** Says what of a site's serving settings a plain S3 website cannot do: nothing is left out in silence (T8, T9, T10). */
import type { Manifest } from '../../../contract/manifest.ts';
import { compileContent, keptHeaders } from './site-objects.ts';

/** How many names a sentence lists. */
const named = 5;

/** One sentence for each thing; `address` is where the site answers. */
export function shortcomingsOf(manifest: Manifest, address: string): string[] {
  const { serving, files } = manifest;
  const { lostRedirects, tooLong, objects } = compileContent(manifest);
  const sentences: string[] = [];
  const say = (condition: boolean, sentence: string) => {
    if (condition) sentences.push(sentence);
  };

  say(
    address.startsWith('http:'),
    'An S3 website answers over http:// only: service workers, the clipboard and secure cookies do not work there without a CDN in front.',
  );
  say(
    serving.spa === true && Object.hasOwn(files, 'index.html'),
    'S3 sends the single page for unknown paths with status 404 (browsers show it; search engines, monitors and `fetch` see an error), and sends it for missing scripts and images too.',
  );
  const lostHeaders = headersThatAreLost(manifest);
  say(
    lostHeaders.length > 0,
    `S3 websites cannot send these headers: ${list(lostHeaders)}. Rules for ${keptHeaders.join(', ')} are kept.`,
  );
  say(
    lostRedirects.length > 0,
    `S3 websites cannot express these redirects, and they are left out: ${list(lostRedirects)}. They have exact paths and up to 50 of the form "/docs/*".`,
  );
  const statuses = statusesThatAreLost(manifest);
  say(
    statuses.length > 0,
    `S3 redirects exact paths with 301 whatever status is asked for, and browsers remember it: ${list(statuses)}.`,
  );
  const redirectsWithQuery = [...objects.values()].some(({ kind }) => kind === 'redirect');
  say(redirectsWithQuery, 'S3 does not carry the query string (`?…`) over when it redirects an exact path.');
  say(
    serving.cleanUrls === true,
    'With cleanUrls, S3 does not redirect addresses that end in "index.html" to the directory.',
  );
  say(
    tooLong.length > 0,
    `${tooLong.length === 1 ? '1 file is' : `${tooLong.length} files are`} left out, for paths of more than 1,024 bytes: ${list(tooLong.map((path) => `${path.slice(0, 60)}…`))}.`,
  );
  return sentences;
}

function headersThatAreLost({ serving }: Manifest): string[] {
  const kept: ReadonlySet<string> = new Set(keptHeaders);
  const names = (serving.headers ?? []).flatMap((rule) => Object.keys(rule.headers));
  return [...new Set(names.map((name) => name.toLowerCase()))].filter((name) => !kept.has(name));
}

/** Sources of exact redirects that do not ask for 301. */
function statusesThatAreLost({ serving }: Manifest): string[] {
  return (serving.redirects ?? [])
    .filter(({ source, statusCode }) => !/\*|\/:[A-Za-z_]/.test(source) && statusCode !== 301)
    .map(({ source }) => source);
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, named).join(', ');
  return names.length > named ? `${shown} and ${names.length - named} more` : shown;
}
