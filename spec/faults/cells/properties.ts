import fc from 'fast-check';

import type { Cell } from './matrix.ts';

/**
 * Tries a property with inputs that follow from the seed of the run. What breaks it is shrunk, and told with the seed and the path
 * by which it can be had again; it then belongs among the examples, or into a spec.
 */
export async function holds<Input>(
  { random, times }: Pick<Cell, 'random' | 'times'>,
  inputs: fc.Arbitrary<Input>,
  { short, long, examples = [] }: { readonly short: number; readonly long: number; readonly examples?: readonly Input[] },
  test: (input: Input) => Promise<void> | void,
): Promise<void> {
  const property = fc.asyncProperty(inputs, async (input) => {
    await test(input);
  });
  await fc.assert(property, { seed: random.whole(0, 2 ** 31 - 1), numRuns: times(short, long), examples: examples.map((input) => [input]), includeErrorInReport: true });
}
