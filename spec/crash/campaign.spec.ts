import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runCycles } from './cycles.ts';
import { providerNames } from './storage.ts';

// A short one of each; `npm run crash` is the long one.
describe('what a writer killed with -9 leaves behind', () => {
  const cycles = 10;
  let directory: string;
  let writer: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rx-persistify-crash-'));
    // In the checkout, as the program imports the package by its name.
    writer = fileURLToPath(new URL(`../../build/crash-writer-${process.pid}.mjs`, import.meta.url));
    const entry = fileURLToPath(new URL('writer.ts', import.meta.url));
    await build({ entryPoints: [entry], outfile: writer, bundle: true, packages: 'external', platform: 'node', format: 'esm' });
  });

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
    await rm(writer, { force: true });
  });

  it.each(providerNames)('%s: everything acknowledged is there, and it is the store at one seq', { timeout: 120_000 }, async (provider) => {
    const report = await runCycles({ provider, cycles, seed: 2, writer, directory: join(directory, provider) });
    expect(report.violation).toBeUndefined();
    expect(report.cycles).toBe(cycles);
    expect(Object.values(report.kills).reduce((sum, kills) => sum + kills, 0)).toBe(cycles);
    expect(report.acknowledged).toBeGreaterThan(0);
  });
});
