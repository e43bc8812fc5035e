import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { edited } from './broken-copy.ts';
import { mutants } from './mutants.ts';
import { providerNames } from './place.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

// `npm run history -- --mutants` runs them.
describe.each(providerNames)('the mutants of %s', (provider) => {
  it.each(mutants[provider])('$name: breaks what is built', async ({ edits }) => {
    for (const edit of edits) expect(await edited(root, edit)).toContain(edit.replace);
  });
});
