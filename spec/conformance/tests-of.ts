import { providerConformance } from 'rx-persistify/conformance';

import { storageOf, type Model } from './models.ts';

/** The tests that the suite has for a provider, by name, to be run at will. */
export function testsOf(model: Model): ReadonlyMap<string, () => Promise<void>> {
  const tests = new Map<string, () => Promise<void>>();
  providerConformance({
    ...model,
    name: 'a provider',
    createStorage: storageOf(model),
    limitMs: 400, // some faults are that nothing ever comes
    runner: {
      describe: (_, body) => body(),
      it: (name, body) => {
        if (tests.has(name)) throw new Error(`two tests are named '${name}'`);
        tests.set(name, body);
      },
    },
  });
  return tests;
}

export async function isRed(test: () => Promise<void>): Promise<boolean> {
  try {
    await test();
    return false;
  } catch (error) {
    // A mistake in the broken provider itself proves nothing; changing what is frozen is a defect it may have.
    if (error instanceof TypeError && !error.message.includes('read only')) throw error;
    return true;
  }
}
