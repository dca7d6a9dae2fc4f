/** The few pages of our own: what people see where a site has nothing to show. */
import { parseSiteLabel } from '../../contract/preview.ts';
import { LIVE } from '../../contract/words.ts';

export type Page = { type: string; body: string };

/** Host names call no site `label`, or no longer. */
export function unknownSitePage(label: string, accept: string): Page {
  const { slug, target } = parseSiteLabel(label) ?? { slug: label, target: LIVE };
  const preview = target === LIVE ? '' : ` --preview ${target}`;
  return page(accept, {
    title: 'No such site',
    text:
      target === LIVE
        ? `No site called "${slug}" is published here.`
        : `No preview "${target}" of "${slug}" is published here, or no longer.`,
    next: `Check the address, or publish one with: sphere deploy --slug ${slug}${preview}`,
  });
}

/** The site has no page at `path` and no `404.html`. */
export function missingPage(path: string, accept: string): Page {
  return page(accept, {
    title: 'Page not found',
    text: `This site has no page at "${path}".`,
    next: 'A 404.html at the top of the site would be shown here instead.',
  });
}

/** A request that cannot be answered. */
export function refusedPage(status: 400 | 405 | 416 | 500, accept: string): Page {
  const texts = {
    400: ['Bad request', 'The address is not one that a site can have.', 'Check its percent-encoding.'],
    405: ['Method not allowed', 'A static site answers GET and HEAD.', 'Send forms and data to a server.'],
    416: ['Range not satisfiable', 'The file ends before the range that was asked for.', 'Ask for less.'],
    500: [
      'Internal error',
      'The file could not be read.',
      'Deploy again; the log of the plane has the cause.',
    ],
  } as const;
  const [title, text, next] = texts[status];
  return page(accept, { title, text, next });
}

function page(accept: string, { title, text, next }: { title: string; text: string; next: string }): Page {
  if (!/\btext\/html\b/i.test(accept)) {
    return { type: 'text/plain; charset=utf-8', body: `${title}\n${text}\n${next}\n` };
  }
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 36rem; margin: 20vh auto 0; padding: 0 1rem }
</style>
<h1>${title}</h1>
<p>${escapeHtml(text)}</p>
<p>${escapeHtml(next)}</p>
</html>
`;
  return { type: 'text/html; charset=utf-8', body };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
