import type { PostgresOptions } from 'rx-persistify/postgres';
import { describe, expect, it } from 'vitest';

import { set } from '../../support/open-dictionary.ts';
import { Told } from '../../support/told.ts';
import { TestServer } from './server.ts';

const database = new TestServer();

/** Each with a limit of which 20 megabytes take several times as long; the server's own ends a look that was too large for it once. */
const modes: readonly (readonly [string, PostgresOptions, number])[] = [
  ['by LISTEN', { pollMs: 60_000, connectTimeoutMs: 1_000 }, 0],
  ['by looking', { listen: false, pollMs: 50, statementTimeoutMs: 2_000 }, 1],
];

describe.each(modes)('over a slow line the feed %s', (_, options, mostFailures) => {
  it.each([
    ['of many keys', [set('key', '1')]],
    ['that cleared before', [{ type: 'clear' }, set('key', '1')]],
  ] as const)('tells a large commit %s, however long it takes, and no other subscription fails for it', async (_what, first) => {
    const schema = database.freshSchema();
    const proxy = await database.proxy();
    const openAt = database.opener({ schema, connection: database.server.url({ port: proxy.port }), ...options });
    const [watcher, other] = [await openAt(), await openAt('other')];
    const [writer, otherWriter] = [await database.open({ schema }), await database.open({ schema }, 'other')];
    let told = new Told(watcher);
    const toldOther = new Told(other);
    await writer.write(...Array.from({ length: 1_000 }, (_each, index) => set(`small ${index}`))); // nothing foretells the large ones
    await told.reaches(1);
    proxy.bytesPerSecond = 4_000_000;
    const large = JSON.stringify('x'.repeat(100_000));
    await writer.write(...first, ...Array.from({ length: 200 }, (_each, index) => set(`large ${index}`, large)));
    await otherWriter.write(set('note'));
    await writer.write(set('later'));
    let failures = 0;
    while (await told.reaches(3).then(() => false, () => true)) {
      expect(++failures).toBeLessThanOrEqual(mostFailures);
      told = new Told(watcher, { version: 1 });
    }
    await toldOther.reaches(1);
    const entries = told.commits.at(-2)?.entries.filter(({ key }) => key.startsWith('large'));
    expect([told.versions.slice(-2), entries?.length, toldOther.errors]).toEqual([[2, 3], 200, []]);
  });
});
