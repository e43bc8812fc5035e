// A configuration store. There is to see: a schema for each key gives the types and keeps wrong values out, also those that
// somebody writes into the file by hand; a bad one is set aside, told, and left in the file until it is replaced.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';

import { persistify, ValidationError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

const schema = {
  server: z.object({ host: z.string(), port: z.int().min(1).max(65_535) }),
  logLevel: z.enum(['debug', 'info', 'warn']),
  features: z.array(z.string()).readonly(),
};

await inTemporaryDirectory(async (directory) => {
  const configurations = persistify(jsonFile({ directory })).withSchema(schema);
  const file = join(directory, 'configuration.json');

  heading('Typed keys:');
  const config = await configurations.open('configuration');
  config.set('server', { host: 'localhost', port: 8_080 });
  config.set('logLevel', 'info');
  config.set('features', ['search']);
  const port: number | undefined = config.get('server')?.port; // the compiler knows
  check('a value comes back as its schema says', port, 8_080);

  heading('A value that is none:');
  try {
    config.set('server', { host: 'localhost', port: 99_999 });
    check('it is refused', false, true);
  } catch (error) {
    console.log(`  ${String(error)}`);
    check('it is refused with a ValidationError', error instanceof ValidationError, true);
    check('that says where the fault is', error instanceof ValidationError ? error.issues[0]?.path : undefined, 'port');
  }
  check('and nothing has changed', config.get('server')?.port, 8_080);
  await config.close();

  heading('Two values edited by hand, one of them badly:');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('"info"', '"loud"').replace('8080', '9090'));
  const edited = await configurations.open('configuration');
  const failure = await firstValueFrom(edited.errors$);
  console.log(`  ${String(failure.error)}`);
  check('the good one is taken', edited.get('server')?.port, 9_090);
  check('the bad one is absent, and set aside', [edited.get('logLevel'), edited.quarantined.get('logLevel')?.json], [undefined, '"loud"']);

  edited.set('features', ['search', 'export']);
  await edited.close();
  check('it is left in the file as it is', (await readFile(file, 'utf8')).includes('"loud"'), true);

  const mended = await configurations.open('configuration');
  await mended.setAndSave('logLevel', 'debug');
  check('until it is replaced', [mended.quarantined.size, mended.get('logLevel')], [0, 'debug']);
  await mended.close();
});
