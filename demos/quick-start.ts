// Quick start. There is to see: a dictionary that is read and written like a Map, that tells what changes, and that saves
// itself to a JSON file; when it is opened again, everything is there.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { persistify } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

interface Preferences {
  readonly theme: string;
  readonly fontSize: number;
}

await inTemporaryDirectory(async (directory) => {
  const stores = persistify(jsonFile({ directory }))
    .withBatch({ size: 10, intervalMs: 5_000 })
    .withRetry({ maxAttempts: 5, delayMs: 200 });

  heading('The first run:');
  const prefs = await stores.open<Preferences>('user-preferences');
  const themes: (string | undefined)[] = [];
  prefs.get$('theme').subscribe((theme) => themes.push(theme)); // current value now, then every change
  prefs.errors$.subscribe(({ error }) => console.warn(error));

  prefs.set('theme', 'dark'); // in memory now, saved with the next batch
  check('a value is there as soon as it is set', prefs.get('theme'), 'dark');
  await prefs.setAndSave('fontSize', 14); // resolves once it is on disk
  check('when `setAndSave` has resolved, nothing is unsaved', prefs.unsaved, []);
  prefs.set('theme', 'light');
  await prefs.close(); // saves what is pending, completes every stream
  check('whoever watches the theme has heard each of its values', themes, [undefined, 'dark', 'light']);

  heading('The file, readable by anybody:');
  const text = await readFile(join(directory, 'user-preferences.json'), 'utf8');
  console.log(text.trimEnd().replace(/^/gm, '  | '));

  heading('The second run:');
  const again = await stores.open<Preferences>('user-preferences');
  check('everything is there again', Object.fromEntries(again), { theme: 'light', fontSize: 14 });
  await again.close();
});
