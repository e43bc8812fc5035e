import { aborting } from './aborting.ts';
import { batches } from './batches.ts';
import { conditions } from './conditions.ts';
import { deadlines } from './deadlines.ts';
import { expiring } from './expiring.ts';
import { loading } from './loading.ts';
import { opening } from './opening.ts';
import type { ConformanceOptions } from './options.ts';
import { refusing } from './refusing.ts';
import { reopening } from './reopening.ts';
import { roundTrip } from './round-trip.ts';
import { settling } from './settling.ts';
import { sharing } from './sharing.ts';
import { registerChapter, type Chapter } from './suite.ts';
import { transactions } from './transactions.ts';
import { watching } from './watching.ts';

export type { ConformanceCapabilities, ConformanceOptions, ConformanceRunner, ConformanceStorage } from './options.ts';
export { ConformanceError } from './assertions.ts';

const chapters: readonly Chapter[] = [
  opening,
  roundTrip,
  batches,
  loading,
  conditions,
  transactions,
  deadlines,
  expiring,
  settling,
  refusing,
  aborting,
  reopening,
  sharing,
  watching,
];

/**
 * Proves that a provider keeps the contract, with the test runner of your choice.
 * It registers a test for each promise that the provider makes; each works on a fresh storage of its own.
 *
 * @example
 * // my-provider.test.js, for `node --test`
 * import { mkdtemp, rm } from 'node:fs/promises';
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { describe, it } from 'node:test';
 * import { providerConformance } from 'rx-persistify/conformance';
 * import { myProvider } from './my-provider.js';
 *
 * providerConformance({
 *   name: 'my-provider',
 *   runner: { describe, it },
 *   capabilities: { shared: false, durability: 'process', persistent: true, read: false, watch: false },
 *   createStorage: async () => {
 *     const directory = await mkdtemp(join(tmpdir(), 'my-provider-'));
 *     return {
 *       provider: () => myProvider({ directory }),
 *       remove: () => rm(directory, { recursive: true }),
 *     };
 *   },
 * });
 */
export function providerConformance(options: ConformanceOptions): void {
  options.runner.describe(`${options.name} conforms`, () => {
    for (const chapter of chapters) registerChapter(chapter, options);
  });
}
