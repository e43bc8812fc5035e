import { availableParallelism } from 'node:os';

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['spec/**/*.spec.ts'],
    pool: 'forks', // a native crash stays out of the runner
    maxWorkers: Math.max(3, availableParallelism() - 1), // most specs wait: for disks, servers and processes
    // The built package is loaded as a user's Node would load it, so that one copy of each class exists.
    server: { deps: { external: [/\/dist\//] } },
    restoreMocks: true,
    unstubGlobals: true,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } }, // what is polled for comes at once, but on a machine that is busy
  },
});
