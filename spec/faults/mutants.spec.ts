import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { edited } from '../history/broken-copy.ts';
import { mutants } from './mutants.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

// `npm run faults -- --mutants` runs them.
describe('the mutants of the fault matrix', () => {
  it.each(mutants)('$name: breaks what is built', async ({ edits }) => {
    for (const edit of edits) expect(await edited(root, edit)).not.toBe('');
  });
});
