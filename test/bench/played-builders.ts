/**
 * Builders of an emulated ECS that all live in one process and build nothing: they say to the plane, over HTTP, what the real
 * program says while it builds a site of one file. Two hundred real ones would measure the machine instead of the plane.
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { ManifestAnswer } from '../../contract/builder-api.ts';
import { builderContractVersion } from '../../contract/version.ts';
import type { Launcher } from '../peers/ecs/launchers.ts';

export type PlayedBuild = { lines: number; everyMs: number };

/** Plays each builder against one of `urls`, in turn: past what stands before the replicas. */
export function createPlayedLauncher(urls: readonly string[], { lines, everyMs }: PlayedBuild) {
  const dispatcher = new Agent({ connections: 64 });
  let started = 0;

  const play = async (url: string, environment: Record<string, string>): Promise<void> => {
    const { SPHERE_DEPLOYMENT: deployment, SPHERE_ATTEMPT: attempt } = environment;
    const token = randomBytes(32).toString('hex');
    const post = async <T>(path: string, body: unknown, bearer = token): Promise<T> => {
      const answer = await request(`${url}/v1/builds/${deployment}/${attempt}${path}`, {
        method: 'POST',
        dispatcher,
        headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 300) throw new Error(`${path}: ${answer.statusCode} ${text}`);
      return JSON.parse(text) as T;
    };
    await post(
      '/register',
      { contractVersion: builderContractVersion, token },
      environment.SPHERE_BOOTSTRAP_TOKEN,
    );
    for (const phase of ['prepare', 'clone', 'install', 'build']) await post('/phase', { phase });
    for (let line = 1; line <= lines; line++) {
      await post('/logs', { batch: line, lines: [[Date.now(), 'build', 'stdout', `line ${line}`]] });
      await delay(everyMs);
    }
    await post('/phase', { phase: 'upload' });
    const content = Buffer.from(`<h1>${deployment}</h1>`);
    const blob = createHash('sha256').update(content).digest('hex');
    const files = { 'index.html': { blob, bytes: content.length } };
    const { missing } = await post<ManifestAnswer>('/manifest', { version: 1, files, serving: {} });
    for (const { url: place, headers } of missing) {
      const answer = await request(place, { method: 'PUT', dispatcher, headers, body: content });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`the upload: ${answer.statusCode} ${text}`);
    }
    await post('/result', {
      outcome: 'built',
      uploaded: missing.length,
      uploadedBytes: content.length,
      warnings: [],
    });
  };

  const launch: Launcher = async ({ environment }) => {
    let output = '';
    const exited = play(urls[started++ % urls.length] as string, environment).then(
      () => ({ exitCode: 0 }),
      (error: Error) => {
        output = String(error.stack);
        process.stderr.write(`a builder failed: ${error.message}\n`);
        return { exitCode: 1 };
      },
    );
    return { stop: () => {}, exited, output: () => output };
  };
  return { launch, close: () => dispatcher.destroy() };
}
