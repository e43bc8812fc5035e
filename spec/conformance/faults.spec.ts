import { describe, expect, it } from 'vitest';

import { ending } from './faults/ending.ts';
import { reading } from './faults/reading.ts';
import { settling } from './faults/settling.ts';
import { watching } from './faults/watching.ts';
import { writing } from './faults/writing.ts';
import { cache, database, file, strict } from './models.ts';
import { isRed, testsOf } from './tests-of.ts';

const faults = [...writing, ...ending, ...reading, ...settling, ...watching];

describe('the suite can fail', () => {
  const seen = new Set<string>();

  for (const { name, model, red } of faults) {
    it(`sees a provider that ${name}`, async () => {
      const test = testsOf(model).get(red) ?? expect.fail(`There is no test named '${red}'.`);
      expect(await isRed(test), `that '${red}' is red`).toBe(true);
      seen.add(red);
    });
  }

  it('has no test that is green whatever is broken', async () => {
    const all = [database, file, cache, strict].flatMap(model => [...testsOf(model).keys()]);
    const green: string[] = [];
    for (const name of new Set(all)) if (!seen.has(name) && !(await isRedSomewhere(name))) green.push(name);
    expect(green).toEqual([]);
  });
});

async function isRedSomewhere(name: string): Promise<boolean> {
  for (const { model } of faults) {
    const test = testsOf(model).get(name);
    if (test !== undefined && (await isRed(test))) return true;
  }
  return false;
}
