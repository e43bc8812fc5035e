// A configuration file that is edited while the service runs. There is to see: however an editor saves it, the service hears
// of each value within a second and follows, to another port if need be; a slip of the pen is told, and changes nothing.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filter, firstValueFrom, map, shareReplay, timeout, type Observable } from 'rxjs';
import { z } from 'zod';

import { persistify } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';

import { ask, schema, serve } from './hot-configuration/service.ts';
import { check, heading, inTemporaryDirectory } from './support/demo.ts';
import { freePort } from './support/free-port.ts';

let editedAt = 0;

await inTemporaryDirectory(async (directory) => {
  const file = join(directory, 'service.json');
  const port = await freePort();
  const nextPort = await freePort(port);

  heading('A file, as anybody would write it:');
  await writeFile(file, `{\n  "port": ${port},\n  "greeting": "Hello",\n  "logLevel": "info"\n}\n`);
  await show(file);
  const configuration = await persistify(jsonFile({ directory, indent: 2 })).withSchema(schema).open('service');
  const listening$ = serve(configuration).pipe(shareReplay({ bufferSize: 1, refCount: true }));
  const serving = listening$.subscribe();
  check('the service runs as it says', await ask(await firstValueFrom(listening$)), 'Hello');

  configuration.changes$.subscribe((change) => {
    const what = change.type === 'set' ? `${change.key} is ${JSON.stringify(change.value)}` : `${change.type === 'clear' ? 'everything' : change.key} is gone`;
    console.log(`  ← ${what}, ${Math.round(performance.now() - editedAt)} ms later (${change.origin})`);
  });
  const faults$ = configuration.errors$.pipe(
    filter(({ error }) => error.code === 'CORRUPT_DATA'),
    map(({ error, keys: [key] }) => (configuration.quarantined.get(key ?? '')?.error ?? error).message.replaceAll(directory, '…')),
    timeout(5_000),
  );

  heading('Somebody edits the greeting, with an editor that writes into the file:');
  await during(edit(file, '"Hello"', '"Good morning"'), configuration.get$('greeting'), 'Good morning');
  check('the service knows it within a second', performance.now() - editedAt < 1_000, true);
  check('and says so', await ask(port), 'Good morning');

  heading('Then the port, with one that writes another file and renames it:');
  await during(edit(file, String(port), String(nextPort), 'and rename'), listening$, nextPort);
  check('the service has moved there', [await ask(port), await ask(nextPort)], ['(nobody there)', 'Good morning']);

  heading('A comma gets lost:');
  const slip = firstValueFrom(faults$);
  await edit(file, '"Good morning",', '"Good day"');
  console.log(`  ! ${await slip}`);
  check('the service goes on with what it had', await ask(nextPort), 'Good morning');
  check('the file is left for its writer to mend', (await readFile(file, 'utf8')).includes('"Good day"\n'), true);
  await during(edit(file, '"Good day"', '"Good day",'), configuration.get$('greeting'), 'Good day');
  check('and when it is mended, it counts', await ask(nextPort), 'Good day');

  heading('A log level that does not exist:');
  const wrong = firstValueFrom(faults$);
  await edit(file, '"info"', '"loud"');
  console.log(`  ! ${await wrong}`);
  check('it is set aside, and absent', [configuration.quarantined.get('logLevel')?.json, configuration.get('logLevel')], ['"loud"', undefined]);
  await during(edit(file, '"loud"', '"debug"'), configuration.get$('logLevel'), 'debug');
  check('until it is replaced; from now on, the service logs', [configuration.quarantined.size, await ask(nextPort)], [0, 'Good day']);

  heading('The service may change its configuration, too:');
  editedAt = performance.now();
  await configuration.setAndSave('logLevel', 'warn');
  serving.unsubscribe();
  await configuration.close();
  await show(file);
  check('everything is in the file', z.object(schema).parse(JSON.parse(await readFile(file, 'utf8'))), { port: nextPort, greeting: 'Good day', logLevel: 'warn' });
});

/** Does what somebody with an editor does. */
async function edit(file: string, from: string, to: string, how: 'in place' | 'and rename' = 'in place'): Promise<void> {
  const text = (await readFile(file, 'utf8')).replace(from, to);
  editedAt = performance.now();
  console.log(`  ✎ ${from} → ${to}`);
  await writeFile(how === 'in place' ? file : `${file}~`, text);
  if (how === 'and rename') await rename(`${file}~`, file);
}

/** Waits for the edit and for what it leads to. */
async function during<T>(editing: Promise<void>, what$: Observable<T>, expected: T): Promise<void> {
  const led = firstValueFrom(what$.pipe(filter((value) => value === expected), timeout(5_000)));
  await editing;
  await led;
}

async function show(file: string): Promise<void> {
  console.log((await readFile(file, 'utf8')).trimEnd().replace(/^(.{0,72}).*$/gm, '  | $1'));
}
