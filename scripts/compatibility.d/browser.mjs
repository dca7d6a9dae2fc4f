/** Opens sites in headless Chromium, Debian's, and says what is wrong with them. */
import { chromium } from 'playwright-core';

/** The site answers, and is not what its repository makes. */
export class SiteProblem extends Error {}

/** How long a page may take until it is loaded, and after that until it shows something. */
const loadMs = 30_000;
const renderMs = 10_000;
/** A page may name thousands of addresses. */
const mostLinks = 40;

/**
 * Opens the site at `url`, what its page links to, and a second page, in a browser of its own that talks to this machine
 * alone: what other hosts would answer is no part of the site. Returns the title, and the site's own addresses that do not
 * answer. Throws SiteProblem when a page shows nothing, or when a script or style of its own is not there.
 */
export async function openSite(url) {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox'],
    // It would end this process on Ctrl-C, before the plane is stopped.
    handleSIGINT: false,
  });
  try {
    const seen = { missing: new Set(), broken: [], errors: [] };
    const page = await watchedPage(await browser.newContext(), url, seen);
    await show(page, url, seen);
    const title = (await page.title()).trim();
    const links = await linksOf(page);
    const second = await answering(page, links, seen);
    if (second !== null) await show(page, second, seen);
    if (seen.broken.length > 0) throw new SiteProblem(`The site's own ${seen.broken[0]} is not there.`);
    const missing = [...seen.missing].slice(0, 10);
    return { title, pages: second === null ? 1 : 2, ...(missing.length === 0 ? {} : { missing }) };
  } finally {
    await browser.close();
  }
}

async function watchedPage(context, url, seen) {
  const { origin } = new URL(url);
  const isOwn = (address) => URL.canParse(address) && new URL(address).origin === origin;
  await context.route(
    (address) => !/^(?:data|blob|about):/.test(address.protocol) && !isOwn(address.href),
    (route) => route.abort(),
  );
  const page = await context.newPage();
  page.on('pageerror', ({ message }) => seen.errors.push(message.split('\n')[0]));
  page.on('response', (response) => {
    if (response.status() < 400 || !isOwn(response.url())) return;
    const path = pathOf(response.url());
    if (path === '/favicon.ico') return;
    seen.missing.add(path);
    const kind = response.request().resourceType();
    if (kind === 'script' || kind === 'stylesheet') seen.broken.push(path);
  });
  return page;
}

/** Opens `address` and waits until the page has a word, a picture or a drawing on it. */
async function show(page, address, { errors }) {
  const response = await page.goto(address, { waitUntil: 'load', timeout: loadMs });
  const status = response?.status() ?? 200;
  if (status >= 400) throw new SiteProblem(`${pathOf(address)} answers ${status}.`);
  try {
    await page.waitForFunction(
      `document.body !== null && (document.body.innerText.trim() !== '' ||
        [...document.querySelectorAll('img, svg, canvas, video')].some((it) => it.getClientRects().length > 0))`,
      undefined,
      { timeout: renderMs },
    );
  } catch {
    throw new SiteProblem([`${pathOf(address)} shows nothing.`, ...errors.slice(0, 1)].join(' '));
  }
}

/** The pages of the same site that the page links to, without its own. */
async function linksOf(page) {
  const all = await page.evaluate(
    `[...document.querySelectorAll('a[href]')].map((a) => a.href).filter((href) => href.startsWith('http'))`,
  );
  const here = new URL(page.url());
  const others = all
    .map((href) => new URL(href))
    .filter(({ origin, pathname }) => origin === here.origin && pathname !== here.pathname);
  return [...new Set(others.map(({ origin, pathname }) => `${origin}${pathname}`))].slice(0, mostLinks);
}

/** The first of `links` that is a page; those that do not answer are noted. */
async function answering(page, links, seen) {
  let first = null;
  for (const link of links) {
    // As a browser that opens it: an application with a router answers no other.
    const headers = { accept: 'text/html,*/*;q=0.8' };
    const answer = await page.request.get(link, { failOnStatusCode: false, headers });
    if (answer.status() >= 400) seen.missing.add(pathOf(link));
    else if (/^text\/html\b/.test(answer.headers()['content-type'] ?? '')) first ??= link;
  }
  return first;
}

function pathOf(address) {
  return new URL(address).pathname;
}
