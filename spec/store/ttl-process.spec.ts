import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { expect, it, onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

const PROVIDERS = {
  memory: { from: 'rx-persistify', make: 'memory()' },
  jsonFile: { from: 'rx-persistify/json-file', make: 'jsonFile({ directory: process.argv[1] })' },
} as const;

/** Runs `then` in a process of its own, which has a store of keys with deadlines; resolves to what it wrote, and fails if it does not end in five seconds. */
async function run(name: keyof typeof PROVIDERS, then: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-ttl-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { from, make } = PROVIDERS[name];
  const code = `
    import { persistify } from 'rx-persistify';
    import { ${name} } from '${from}';
    const store = await persistify(${make}).withTtl({ ms: 20_000, mode: 'sliding' }).withBatch({ intervalMs: 1 }).open('ttl');
    for (let index = 0; index < 1_000; index++) store.set('k' + index, index, { ttlMs: 20_000 + index });
    store.set('far', 1, { ttlMs: 2 ** 40 });
    store.changes$.subscribe(({ type, key }) => console.log(type, key));
    await store.flush();
    ${then}`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code, '--', directory], { cwd: root, timeout: 5_000 });
  return stdout;
}

it.each(['memory', 'jsonFile'] as const)('a process with an idle store of keys with deadlines in %s ends by itself, at once', async (name) => {
  expect(await run(name, "store.get('k5'); await store.flush(); console.log('idle');")).toBe('idle\n');
});

it('a process that something else keeps alive hears what ends meanwhile', async () => {
  expect(await run('memory', "store.set('soon', 1, { ttlMs: 20 }); setTimeout(() => console.log('end'), 300);")).toBe('set soon\nexpire soon\nend\n');
});
