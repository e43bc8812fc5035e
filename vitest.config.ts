import { availableParallelism } from 'node:os';

import { defineConfig } from 'vitest/config';

/** What is measured as time passes is measured when nothing else runs. */
const measuring = ['spec/e2e/dashboard-load.e2e.ts'];

export default defineConfig({
  test: {
    // `npm run e2e` runs those that need a real browser, `npm run spec` all others.
    projects: [
      { extends: true, test: { name: 'spec', include: ['spec/**/*.spec.ts'] } },
      { extends: true, test: { name: 'e2e', include: ['spec/e2e/**/*.e2e.ts'], exclude: measuring, sequence: { groupOrder: 1 } } },
      { extends: true, test: { name: 'e2e that measures', include: measuring, sequence: { groupOrder: 2 } } },
      { extends: true, test: { name: 'screenshots', include: ['spec/e2e/screenshots.ts'] } },
    ],
    pool: 'forks', // a native crash stays out of the runner
    maxWorkers: Math.max(5, availableParallelism() - 1), // most specs wait: for disks, servers and processes
    // The built package is loaded as a user's Node would load it, so that one copy of each class exists.
    server: { deps: { external: [/\/dist\//] } },
    restoreMocks: true,
    unstubGlobals: true,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } }, // what is polled for comes at once, but on a machine that is busy
  },
});
