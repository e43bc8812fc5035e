import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { filter, firstValueFrom, Subject, take, toArray, type Observable } from 'rxjs';
import { memory, persistify, ProviderError, type Failure, type Feed } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';

import { controlledProvider } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

describe('what others change in storage', () => {
  it('reaches a store on the same memory provider as remote changes, and its own unsaved ones stay', async () => {
    const provider = memory();
    const [first, second] = await Promise.all([persistify(provider).open('a'), persistify(provider).withBatch({ intervalMs: 60_000 }).open('a')]);
    second.set('mine', 1);
    const told = firstValueFrom(second.changes$.pipe(take(2), toArray()));
    first.set('theirs', 1);
    first.set('mine', 2);
    first.set('gone', 1);
    first.delete('gone');
    await first.flush();
    const another = first.setAndSave('later', 1);
    expect(await told).toMatchObject([
      { type: 'set', key: 'theirs', value: 1, origin: 'remote' },
      { type: 'set', key: 'later', value: 1, origin: 'remote' },
    ]);
    await another;
    expect(Object.fromEntries(second)).toEqual({ mine: 1, theirs: 1, later: 1 });
    await second.close();
    await first.reload();
    expect(first.get('mine')).toBe(1);
    await first.close();
  });

  it('is heard of again after each failure of the feed, which tells its number in a row and how long until then', async () => {
    const [told, begun]: [Failure[], number[]] = [[], []];
    let feed = new Subject<Feed>();
    const watch = (): Observable<Feed> => {
      begun.push(Date.now());
      feed = new Subject();
      return feed;
    };
    useVirtualTime();
    onTestFinished(() => void vi.useRealTimers());
    vi.spyOn(Math, 'random').mockReturnValue(0.999_999);
    const store = await persistify(controlledProvider(memory(), { watch, capabilities: { shared: true, durability: 'memory' } })).withRetry({ maxAttempts: 2, delayMs: 100 }).open('a');
    store.errors$.subscribe((failure) => told.push(failure));
    const breakFeed = async (): Promise<void> => {
      feed.error(new ProviderError('It is cut.', { kind: 'retry' }));
      await vi.advanceTimersByTimeAsync(told.at(-1)?.delayMs ?? 0);
    };
    for (let time = 0; time < 3; time++) await breakFeed();
    feed.next({ type: 'commit', cursor: { version: 1 }, cleared: false, entries: [], deleted: [] });
    await breakFeed();
    const ofFeed = { operation: 'watch', maxAttempts: Infinity, willRetry: true, fatal: false };
    expect(told).toMatchObject([1, 2, 3, 1].map((attempt) => ({ ...ofFeed, attempt, delayMs: 100 * 2 ** (attempt - 1) })));
    expect(begun.slice(1).map((at, index) => at - (begun[index] ?? 0))).toEqual([100, 200, 400, 100]);
    await store.close();
  });

  it('and cannot be read is told, and is quarantined', async () => {
    const provider = memory();
    const store = await persistify(provider).open<Record<string, number>>('a');
    await store.setAndSave('k', 1);
    const failure = firstValueFrom(store.errors$);
    const session = await provider.open('a', { writer: 'other', report: () => undefined });
    await session.write({ number: 1, writer: 'other', mutations: [{ type: 'set', key: 'k', json: '{' }] }, { signal: new AbortController().signal });
    expect(await failure).toMatchObject({ operation: 'load', error: { code: 'CORRUPT_DATA', key: 'k' }, keys: ['k'], fatal: false });
    expect([store.get('k'), [...store.quarantined.keys()]]).toEqual([undefined, ['k']]);
    store.set('k', 2);
    await store.flush();
    expect([store.get('k'), store.quarantined.size]).toEqual([2, 0]);
    await store.close();
  });

  it('and fails the schema is told once, also where storage is read anew: by hand edits and by reload', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-remote-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, 'limits.json'), '{ "least": 1, "most": 9 }');
    const store = await persistify(jsonFile({ directory })).withSchema(z.number()).open('limits');
    const failures: Failure[] = [];
    store.errors$.pipe(filter(({ operation }) => operation === 'load')).subscribe((failure) => failures.push(failure));
    const edit = async (text: string, key: string, value: number | undefined): Promise<void> => {
      const told = firstValueFrom(store.get$(key).pipe(filter((now) => now === value)));
      await writeFile(join(directory, 'limits.json'), text);
      await told;
    };
    await edit('{ "least": "one", "most": 9 }', 'least', undefined);
    expect(failures).toMatchObject([{ operation: 'load', error: { code: 'CORRUPT_DATA' }, keys: ['least'], fatal: false }]);
    await edit('{ "least": "one", "most": "nine" }', 'most', undefined);
    expect(failures.map(({ keys }) => keys)).toEqual([['least'], ['most']]);
    await store.reload();
    expect([...store.quarantined.keys()]).toEqual(['least', 'most']);
    expect(failures).toHaveLength(2);
    await edit('{ "least": 2, "most": "nine" }', 'least', 2);
    expect([failures.length, [...store.quarantined.keys()]]).toEqual([2, ['most']]);
    await store.close();
  });

  it('by hand in an open JSON file becomes remote changes; a broken edit is told and changes nothing', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-remote-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const store = await persistify(jsonFile({ directory })).open<Record<string, unknown>>('prefs');
    await store.setAndSave('theme', 'dark');
    await store.setAndSave('old', 1);
    await store.close();
    const again = await persistify(jsonFile({ directory })).open<Record<string, unknown>>('prefs');
    const told = firstValueFrom(again.changes$.pipe(take(3), toArray()));
    await writeFile(join(directory, 'prefs.json'), '{\n  "theme": "light",\n  "size": 14\n}\n');
    expect(new Set((await told).map((change) => ('key' in change ? `${change.type} ${change.key} ${change.origin}` : change.type)))).toEqual(
      new Set(['delete old remote', 'set theme remote', 'set size remote']),
    );
    const broken = firstValueFrom(again.errors$.pipe(filter(({ error }) => error.code === 'CORRUPT_DATA')));
    await writeFile(join(directory, 'prefs.json'), '{ "theme": ');
    expect(await broken).toMatchObject({ operation: 'provider', fatal: false });
    expect(Object.fromEntries(again)).toEqual({ theme: 'light', size: 14 });
    await again.close();
  });
});
