/**
 * Where a repository is now, for a clone that follows no redirects itself: a host that was checked must not lead to one
 * that was not. Hosts redirect from `http` to `https`, and GitLab to the address that ends in `.git`.
 */
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { SphereError } from '../../contract/errors.ts';
import type { PinnedHost } from '../../files/repository-host.ts';
import { checkRepository, type Repository } from '../../files/repository-url.ts';

const question = '/info/refs?service=git-upload-pack';
const most = 3;
const answerMs = 15_000;

/** The repository at the end of its redirects. Throws `SOURCE_REFUSED` when one leads to another host. */
export async function followRedirects(
  repository: Repository,
  pinned: PinnedHost | null,
  signal: AbortSignal,
): Promise<Repository> {
  let current = repository;
  for (let step = 0; step < most; step += 1) {
    if (current.transport !== 'https' && current.transport !== 'http') return current;
    const asked = `${current.url.replace(/\/+$/, '')}${question}`;
    const location = await locationOf(asked, pinned, signal);
    if (location === null) return current;
    const next = URL.canParse(location, asked) ? new URL(location, asked) : null;
    const same =
      next?.hostname === new URL(asked).hostname &&
      (next.host === new URL(asked).host || (next.protocol === 'https:' && next.port === ''));
    if (
      !same ||
      !next?.href.endsWith(question) ||
      (current.transport === 'https' && next.protocol !== 'https:')
    ) {
      throw new SphereError(
        'SOURCE_REFUSED',
        `${repository.host} sends on to ${next?.origin ?? 'nowhere'} for the repository, which is not followed.`,
        { hint: 'Give the address where the repository is now.' },
      );
    }
    current = checkRepository(next.href.slice(0, -question.length), { allowLocal: false });
  }
  return current;
}

/** Where an answer leads; null when it does not, or when there is none: git then says why. */
function locationOf(url: string, pinned: PinnedHost | null, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const { request } = url.startsWith('https:') ? https : http;
    const call = request(
      url,
      {
        signal,
        timeout: answerMs,
        headers: { 'user-agent': 'git/2 (sphere)', accept: '*/*' },
        ...(pinned === null ? {} : { lookup: lookupPinned(pinned) }),
      },
      (answer) => {
        answer.destroy();
        const moved = [301, 302, 303, 307, 308].includes(answer.statusCode ?? 0);
        resolve(moved ? (answer.headers.location ?? '') : null);
      },
    );
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(null));
    call.end();
  });
}

const lookupPinned =
  ({ addresses }: PinnedHost): LookupFunction =>
  (_host, options, done) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    if (options.all) done(null, found);
    else done(null, found[0]?.address ?? '', found[0]?.family);
  };
