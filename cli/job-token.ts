/** Signs a job of GitHub or GitLab in with what its host says of it: no token has to be kept there. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExchangeAnswer } from '../contract/accounts-api.ts';
import { SphereError } from '../contract/errors.ts';
import { createApi } from './api.ts';
import type { JobIdentity } from './config.ts';
import { createHttpClient, type HttpClient, readText } from './http.ts';

/** Waits before the further tries of asking GitHub. */
const backoffMs = [500, 2_000];

/**
 * A token for the plane at `url`, which reaches `project` alone. Throws `NOT_SIGNED_IN` and `NOT_ALLOWED` as the plane
 * does, `INFRASTRUCTURE` when GitHub does not answer.
 */
export async function tokenOfJob(job: JobIdentity, url: string, project: string): Promise<ExchangeAnswer> {
  const api = createApi({ url, token: '' });
  const exchange = (idToken: string) => api.exchangeIdToken({ idToken, project });
  try {
    return await exchange(job.kind === 'given' ? job.idToken : await askGithub(job, new URL(url).origin));
  } finally {
    api.close();
  }
}

/** Asks GitHub's runner for an ID token that counts at `audience` alone (docs.github.com, "OpenID Connect reference"). */
async function askGithub(job: Extract<JobIdentity, { kind: 'github' }>, audience: string): Promise<string> {
  const client = createHttpClient();
  try {
    for (let tries = 0; ; tries += 1) {
      const seen = await askOnce(client, job, audience);
      if ('idToken' in seen) return seen.idToken;
      const wait = backoffMs[tries];
      if (wait === undefined || !seen.passing) {
        throw new SphereError('INFRASTRUCTURE', `GitHub gave this job no ID token: ${seen.why}.`, {
          hint: 'Run the job again; if it stays so, look at https://www.githubstatus.com.',
        });
      }
      await sleep(wait);
    }
  } finally {
    client.close();
  }
}

async function askOnce(
  client: HttpClient,
  { requestUrl, requestToken }: Extract<JobIdentity, { kind: 'github' }>,
  audience: string,
): Promise<{ idToken: string } | { why: string; passing: boolean }> {
  try {
    const url = new URL(requestUrl);
    url.searchParams.set('audience', audience);
    const answer = await client.send({
      method: 'GET',
      url: url.href,
      headers: { authorization: `Bearer ${requestToken}`, accept: 'application/json' },
      timeoutMs: 10_000,
    });
    const text = await readText(answer);
    const status = answer.statusCode ?? 0;
    if (status !== 200) return { why: `HTTP ${status}`, passing: status >= 500 || status === 429 };
    const { value } = JSON.parse(text) as { value?: unknown };
    return typeof value === 'string'
      ? { idToken: value }
      : { why: 'there was none in its answer', passing: false };
  } catch (error) {
    return { why: (error as Error).message, passing: true };
  }
}
