/** A deployment's life, over HTTP: queue, attempt, publication, and everything that can cross it. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LiveChange, liveBefore } from '../../server/rollback.ts';
import { request, startPlane, type TestPlane } from './plane.ts';

let plane: TestPlane;
beforeEach(async () => {
  plane = await startPlane();
});
afterEach(() => plane.remove());

/** Deploys `html` from queue to live. */
async function deploy(html: string, change = {}) {
  const { deployment } = await plane.create(change);
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(deployment.id);
  await builder.register();
  await builder.finish({ 'index.html': html });
  return (await plane.ended(deployment.id)).deployment;
}

const served = async (address: string, path = '/') => (await fetch(new URL(path, address))).text();

describe('a deployment', () => {
  test('is queued, built, published and live, and its log says so', async () => {
    const { deployment, outcome } = await plane.create();
    expect(outcome).toBe('created');
    expect(['queued', 'building']).toContain(deployment.status);
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(deployment.id);
    const { body: spec } = await builder.register();
    expect(spec.source).toMatchObject({ kind: 'git' });
    await builder.phase('build');
    expect((await builder.log('one', 'two')).body).toEqual({ last: 2, full: false });
    expect((await builder.finish({ 'index.html': '<h1>one</h1>' })).status).toBe(200);
    const { deployment: ready, lines } = await plane.ended(deployment.id);
    expect(ready).toMatchObject({
      status: 'ready',
      reason: null,
      live: true,
      figures: { files: 1, uploaded: 1 },
    });
    expect(ready.phases.map(({ phase }) => phase)).toEqual(['queue', 'prepare', 'build', 'publish']);
    expect(ready.phases.every(({ durationMs }) => durationMs !== null)).toBe(true);
    expect(lines.map((line) => line.seq)).toEqual([1, 2, 3]);
    expect(await served(ready.address)).toBe('<h1>one</h1>');
  });

  test('of what is live already is not built again, unless forced', async () => {
    const source = {
      kind: 'git' as const,
      repository: 'https://example.com/site.git',
      commit: 'a'.repeat(40),
    };
    const first = await deploy('one', { source });
    expect(await plane.create({ source })).toMatchObject({
      outcome: 'already_live',
      deployment: { id: first.id },
    });
    expect((await plane.create({ source, build: { buildCommand: 'other' } })).outcome).toBe('created');
    expect((await plane.create({ source, force: true })).outcome).toBe('created');
  });

  test('supersedes the queued ones before it and leaves the running one alone', async () => {
    const [a, b] = [await plane.create(), await plane.create()];
    await plane.runner.whenStarted(a.deployment.id);
    await plane.runner.whenStarted(b.deployment.id);
    const c = await plane.create();
    const d = await plane.create();
    expect((await plane.ended(c.deployment.id)).deployment).toMatchObject({
      status: 'cancelled',
      reason: 'superseded',
    });
    expect(await plane.deployment(a.deployment.id)).toMatchObject({ status: 'building' });
    expect(await plane.deployment(d.deployment.id)).toMatchObject({ status: 'queued' });
  });

  test('that finishes after a later one is outrun and never goes live', async () => {
    const [early, late] = [await plane.create(), await plane.create()];
    for (const { deployment } of [early, late]) await plane.runner.whenStarted(deployment.id);
    const [first, second] = [plane.builder(early.deployment.id), plane.builder(late.deployment.id)];
    await first.register();
    await second.register();
    await second.finish({ 'index.html': 'late' });
    await plane.ended(late.deployment.id);
    await first.finish({ 'index.html': 'early' });
    const { deployment } = await plane.ended(early.deployment.id);
    expect(deployment).toMatchObject({ status: 'cancelled', reason: 'outrun', live: false });
    expect(await served(deployment.address)).toBe('late');
  });

  test('repeated under one Idempotency-Key is made once', async () => {
    const body = {
      source: { kind: 'git' as const, repository: 'https://example.com/a.git', commit: 'b'.repeat(40) },
    };
    const headers = { 'idempotency-key': 'key-1' };
    const [one, two] = [await plane.create(body, headers), await plane.create(body, headers)];
    expect(two.deployment.id).toBe(one.deployment.id);
    const other = { ...body, noCache: true };
    const refusal = await plane.refusal('POST', '/v1/deployments', request(other), undefined, headers);
    expect(refusal.code).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  test('from another place needs the slug to be named', async () => {
    await plane.create();
    const refusal = await plane.refusal('POST', '/v1/deployments', request({ origin: '/elsewhere' }));
    expect(refusal).toMatchObject({ code: 'SLUG_IN_USE' });
    expect(refusal.message).toContain('https://example.com/site.git');
    expect(refusal.hint).toContain('--slug');
    expect((await plane.create({ origin: '/elsewhere', projectNamed: true })).outcome).toBe('created');
  });
});

describe('cancel', () => {
  test('of a queued and of a running deployment frees the slot and stops the builder', async () => {
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(deployment.id);
    await builder.register();
    const { body } = await plane.call('POST', `/v1/deployments/${deployment.id}/cancel`);
    expect(body).toMatchObject({ status: 'cancelled', reason: 'user' });
    expect((await builder.log('late')).body.error?.code).toBe('ATTEMPT_STALE');
    const { lines } = await plane.ended(deployment.id);
    expect(lines.at(-1)?.text).toBe('Cancelled.');
    expect((await plane.call('POST', `/v1/deployments/${deployment.id}/cancel`)).status).toBe(200);
    await expect.poll(() => plane.runner.stopped).toContain(1);
  });

  test('of what is live is refused and names rollback', async () => {
    const { id } = await deploy('one');
    const refusal = await plane.refusal('POST', `/v1/deployments/${id}/cancel`);
    expect(refusal.code).toBe('ALREADY_ENDED');
    expect(refusal.hint).toContain('sphere rollback');
  });
});

describe('rollback', () => {
  test('makes the one before live again in a moment, and again the one before that', async () => {
    const [a, b, c] = [await deploy('A'), await deploy('B'), await deploy('C')];
    const back = () => plane.call<{ deployment: { id: string } }>('POST', '/v1/projects/site/rollback', {});
    expect((await back()).body.deployment.id).toBe(b.id);
    expect(await served(c.address)).toBe('B');
    expect((await back()).body.deployment.id).toBe(a.id);
    expect(await served(c.address)).toBe('A');
    expect((await plane.refusal('POST', '/v1/projects/site/rollback', {})).code).toBe('NOTHING_TO_ROLL_BACK');
    await plane.call('POST', '/v1/projects/site/rollback', { deployment: c.id });
    expect(await served(c.address)).toBe('C');
  });

  test('does not go back to what somebody has gone back from, whatever was deployed since', async () => {
    const back = () => plane.call<{ deployment: { id: string } }>('POST', '/v1/projects/site/rollback', {});
    const [a] = [await deploy('A'), await deploy('B')];
    await back();
    await deploy('C');
    expect((await back()).body.deployment.id).toBe(a.id);
    expect(await served(a.address)).toBe('A');
  });

  test.each<[string, string | undefined]>([
    ['', undefined],
    ['A', undefined],
    ['A B', 'A'],
    ['A B <A', undefined],
    ['A B <A C', 'A'],
    ['A B C <A D', 'A'],
    ['A B C <B', 'A'],
    // Forward again to what was left: what was live before it is where that goes back to.
    ['A B C <A <C', 'A'],
    // The same once more, as a preview that is promoted twice.
    ['A B A', 'B'],
    ['A B B', 'A'],
  ])('after %j goes to %s', (changes, expected) => {
    const done = changes
      .split(' ')
      .filter(Boolean)
      .map(
        (change): LiveChange =>
          change.startsWith('<')
            ? { kind: 'rollback', deployment: change.slice(1) }
            : { kind: 'deploy', deployment: change },
      );
    expect(liveBefore(done)).toBe(expected);
  });

  test('beats every build that was asked for before it', async () => {
    const [a] = [await deploy('A'), await deploy('B')];
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(deployment.id);
    await builder.register();
    await plane.call('POST', '/v1/projects/site/rollback', {});
    await builder.finish({ 'index.html': 'C' });
    expect((await plane.ended(deployment.id)).deployment).toMatchObject({
      status: 'cancelled',
      reason: 'outrun',
    });
    expect(await served(a.address)).toBe('A');
  });
});

describe('an attempt', () => {
  test('is registered once, with its own bootstrap token', async () => {
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(deployment.id);
    expect((await builder.register()).status).toBe(200);
    expect((await builder.register()).status).toBe(200);
    expect((await plane.builder(deployment.id).register()).body.error?.code).toBe('NOT_SIGNED_IN');
    const wrong = await builder.post('/register', { contractVersion: 1, token: 'f'.repeat(64) }, 'wrong');
    expect(wrong.body.error?.code).toBe('NOT_SIGNED_IN');
  });

  test('that is lost is tried once more, and the earlier builder is fenced off', async () => {
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const first = plane.builder(deployment.id);
    await first.register();
    plane.runner.crash(1);
    await plane.runner.whenStarted(deployment.id, 2);
    expect((await first.log('from the grave')).body.error?.code).toBe('ATTEMPT_STALE');
    const second = plane.builder(deployment.id, 2);
    await second.register();
    plane.runner.crash(2);
    const { deployment: ended, lines } = await plane.ended(deployment.id);
    expect(ended).toMatchObject({ status: 'error', reason: 'infrastructure', attempt: 2 });
    expect(lines.map((line) => line.text).join('\n')).toContain('Trying once more');
  });

  test('that found the disk full is not tried again: so would the next one', async () => {
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(deployment.id);
    await builder.register();
    await builder.fail('infrastructure', 'DISK_FULL');
    const { deployment: ended } = await plane.ended(deployment.id);
    expect(ended).toMatchObject({ status: 'error', attempt: 1, error: { code: 'DISK_FULL' } });
  });

  test("whose build failed ends with the builder's own words, and is not tried again", async () => {
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(deployment.id);
    await builder.register();
    await builder.fail();
    const { deployment: ended } = await plane.ended(deployment.id);
    expect(ended).toMatchObject({
      status: 'error',
      reason: 'build_failed',
      error: { message: 'exit code 1' },
      attempt: 1,
    });
  });

  test('is refused a text with the character NUL, which no database keeps, and may write of its escape', async () => {
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(deployment.id);
    await builder.register();
    const failed = (message: string) =>
      builder.post('/result', {
        outcome: 'failed',
        reason: 'build_failed',
        error: { code: 'BUILD_FAILED', message },
      });
    expect((await failed('a\0b')).body.error).toMatchObject({
      code: 'REQUEST_INVALID',
      message: 'the request body cannot be read: it holds the character NUL',
    });
    await failed('\\u0000 is how it is written');
    const { deployment: ended } = await plane.ended(deployment.id);
    expect(ended.error?.message).toBe('\\u0000 is how it is written');
  });

  test('cannot report a result without its blobs, nor store a blob under a wrong name', async () => {
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(deployment.id);
    await builder.register();
    const blob = 'c'.repeat(64);
    const manifest = { version: 1, files: { 'index.html': { blob, bytes: 3 } }, serving: {} };
    await builder.post('/manifest', manifest);
    const put = await fetch(`${plane.url}/v1/builds/${deployment.id}/1/blobs/${blob}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${builder.token}` },
      body: 'abc',
    });
    expect(((await put.json()) as { error: { code: string } }).error.code).toBe('DIGEST_MISMATCH');
    const result = await builder.post('/result', {
      outcome: 'built',
      uploaded: 0,
      uploadedBytes: 0,
      warnings: [],
    });
    expect(result.body.error?.message).toContain('1 blobs of the manifest have not been uploaded');
  });
});

describe('a plane that starts again', () => {
  test('serves its sites on the same port, keeps every log line and finishes what was building', async () => {
    const live = await deploy('one');
    const { deployment } = await plane.create();
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(deployment.id);
    await builder.register();
    await builder.log('before');
    const { home, runner } = plane;
    await plane.stop();
    plane = await startPlane({ home });
    expect(plane.url).toBe(new URL(live.url).origin.replace('site.localhost', '127.0.0.1'));
    expect(await served(live.address)).toBe('one');
    // The builder that the first plane started is not known to the new runner: it counts as gone.
    await plane.runner.whenStarted(deployment.id, 2);
    expect(runner.started).toHaveLength(2);
    const again = plane.builder(deployment.id, 2);
    await again.register();
    await again.log('after');
    await again.finish({ 'index.html': 'two' });
    const { deployment: ready, lines } = await plane.ended(deployment.id);
    expect(ready.status).toBe('ready');
    expect(lines.map((line) => line.seq)).toEqual(lines.map((_, n) => n + 1));
    const texts = lines.map((line) => line.text);
    expect(texts).toContain('before');
    expect(texts).toContain('after');
    expect(await served(live.address)).toBe('two');
  });
});
