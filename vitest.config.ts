/** How the tests run: `npm test`, or `npx vitest run test/<area>`. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/first-port.ts',
    // Real processes: signals and working directories belong to a process, not to a thread.
    pool: 'forks',
    // Most of a run is waiting for other programs: more files at a time than cores.
    maxWorkers: 3,
    // Real git, databases and builds on two shared cores. A test that hangs still ends.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // What is waited for comes at once on an idle machine, and later on a busy one.
    expect: { poll: { timeout: 15_000 } },
  },
});
