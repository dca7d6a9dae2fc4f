/** The examples, built for real with no configuration: four always, all of them with `./scripts/test --all`. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { packageRoot } from '../../files/package-root.ts';
import { get, machine, openSphere } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

const directory = join(packageRoot(), 'examples');
const always = ['plain-html', 'vite-react', 'next-export', 'astro'];
const examples = process.env.SPHERE_TEST_ALL === '1' ? readdirSync(directory).sort() : always;

test.each(examples)(
  '%s is detected, built, published and answers',
  async (example) => {
    const { code, stdout, stderr } = await sphere.run(['deploy', '--local', join(directory, example)], {
      environment: machine,
    });
    expect(code, stderr).toBe(0);
    const page = await get(stdout.trim());
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    const assets = [...page.body.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css))"/g)].map(
      ([, path]) => path as string,
    );
    for (const asset of assets)
      expect([asset, (await get(new URL(asset, stdout.trim()).href)).status]).toEqual([asset, 200]);
  },
  300_000,
);
