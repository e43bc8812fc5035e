import { conformanceTests } from './conformance-tests.ts';

declare global {
  var runConformanceTest: (name: string) => Promise<void>;
}

const tests = conformanceTests();

globalThis.runConformanceTest = async (name) => {
  const test = tests.get(name);
  if (test === undefined) throw new Error(`There is no test "${name}".`);
  await test();
};
