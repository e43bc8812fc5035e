import { deleteDB } from 'idb';
import { providerConformance, type ConformanceRunner } from 'rx-persistify/conformance';
import { indexedDb } from 'rx-persistify/indexed-db';

/** The tests of the suite by their whole names, to be run one by one. */
export function conformanceTests(): ReadonlyMap<string, () => Promise<void>> {
  const tests = new Map<string, () => Promise<void>>();
  const titles: string[] = [];
  const runner: ConformanceRunner = {
    describe(title, body) {
      titles.push(title);
      body();
      titles.pop();
    },
    it: (name, body) => tests.set([...titles, name].join(' > '), body),
  };
  let count = 0;
  providerConformance({
    name: 'indexed-db',
    runner,
    capabilities: { shared: true, durability: 'power', persistent: true, read: true, watch: true },
    createStorage: () => {
      const database = `conformance ${++count}`;
      return Promise.resolve({ provider: () => indexedDb({ database }), remove: () => deleteDB(database) });
    },
  });
  return tests;
}
