import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonFile } from 'rx-persistify/json-file';
import { sqlite } from 'rx-persistify/sqlite';
import { describe, expect, it } from 'vitest';

import { failHandles } from './json-file/faults.ts';
import { scratch } from './json-file/store.ts';

describe.each([
  ['json-file', (directory: string) => jsonFile({ directory })],
  ['sqlite', (directory: string) => sqlite({ file: join(directory, 'store.db') })],
])('a new directory of %s whose name cannot be made durable', (_, providerIn) => {
  it.each([1, 2, 3])('is not used, and made anew by the next attempt: flush %i of three', async (nth) => {
    const directory = join(await scratch(), 'new', 'newer', 'newest');
    const open = () => providerIn(directory).open('prefs', { writer: 'w', report: () => undefined });
    let flushed = 0;
    const heal = await failHandles('sync', 'EIO', (call) => (flushed = call) === nth);
    await expect(open()).rejects.toMatchObject({ code: 'PROVIDER', message: expect.stringContaining('EIO') as string });
    expect(flushed).toBe(nth);
    await expect(stat(join(directory, '../..'))).rejects.toMatchObject({ code: 'ENOENT' });
    heal();
    await failHandles('sync', 'EIO', (call) => ((flushed = call), false));
    const session = await open();
    expect(flushed).toBeGreaterThanOrEqual(3);
    await session.close();
  });
});
