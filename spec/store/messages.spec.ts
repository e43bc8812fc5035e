import { inspect } from 'node:util';

import { InvalidValueError, memory, OptionsError, persistify, ProviderError, type PersistifyBuilder } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { remote } from 'rx-persistify/remote';
import { sqlite } from 'rx-persistify/sqlite';
import { describe, expect, it, vi } from 'vitest';

import { controlledProvider } from '../support/controlled-provider.ts';

const messageOf = (step: () => unknown): string => {
  try {
    step();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('It was taken.');
};

describe('an error', () => {
  it('of a value names its key, in what it says and as a member', async () => {
    const store = await persistify(memory()).open<Record<string, unknown>>('a');
    const refusals = await Promise.allSettled([
      Promise.resolve().then(() => store.set('kitchen', { celsius: NaN })),
      store.setAndSave('kitchen', { celsius: NaN }),
      store.addAndSave('kitchen', { celsius: NaN }),
      Promise.resolve().then(() => store.update('kitchen', () => ({ celsius: NaN }))),
      store.updateAndSave('kitchen', () => ({ celsius: NaN })),
    ]);
    for (const refusal of refusals) {
      const reason: unknown = refusal.status === 'rejected' ? refusal.reason : undefined;
      expect(reason).toBeInstanceOf(InvalidValueError);
      expect(reason).toMatchObject({ message: 'The value for "kitchen" cannot be stored: JSON cannot keep NaN (at .celsius): use null, or use withCodec.', key: 'kitchen', path: '.celsius' });
    }
    await store.close();
    const coded = await persistify(memory()).withCodec({ encode: (): string => { throw new Error('no'); }, decode: String }).open<Record<string, string>>('a'); // prettier-ignore
    expect(messageOf(() => coded.set('hall', 'x'))).toBe('The value for "hall" cannot be stored: The codec could not encode the value: no');
    await coded.close();
  });

  it('of opening tells a store from a cache', async () => {
    const stores = persistify(memory());
    const [store, cache] = [await stores.open('a'), await stores.openCache('b')];
    await expect(stores.openCache('a')).rejects.toThrow(new OptionsError('"a" is open as a store, and not as a cache: take it with open("a"), or close it first.'));
    await expect(stores.open('b')).rejects.toThrow(new OptionsError('"b" is open as a cache, and not as a store: take it with openCache("b"), or close it first.'));
    await expect(stores.openCache('b', { keepMs: 5 })).rejects.toThrow('is open with other options');
    await Promise.all([store.close(), cache.close()]);
  });

  it.each<[string, () => unknown, string]>([
    ['jsonFile({ dir })', () => jsonFile({ dir: './data' } as never), 'there is no option dir. Did you mean directory?'],
    ['jsonFile({ file })', () => jsonFile({ file: './data' } as never), 'there is no option file. Did you mean directory?'],
    ['jsonFile(directory)', () => jsonFile('./data' as never), 'the argument must be an object of options, not "./data". Did you mean { directory: … }?'],
    ['sqlite({ filename })', () => sqlite({ filename: 'a.db' } as never), 'there is no option filename. Did you mean file?'],
    ['sqlite({ path })', () => sqlite({ path: 'a.db' } as never), 'there is no option path. Did you mean file?'],
    ['sqlite(file)', () => sqlite('a.db' as never), 'Did you mean { file: … }?'],
    ['postgres({ url })', () => postgres({ url: 'postgres://ann:secret@host' } as never), 'there is no option url. Did you mean connection?'],
    ['postgres({ connectionString })', () => postgres({ connectionString: 'postgres://ann:secret@host' } as never), 'there is no option connectionString. Did you mean connection?'],
    ['remote({ uri })', () => remote({ uri: 'http://ann:secret@host' } as never), 'there is no option uri. Did you mean url?'],
    ['remote(url)', () => remote('http://ann:secret@host' as never), 'remote: the argument must be an object of options, not a URL alone. Did you mean { url: … }?'],
    ['remote(new URL(…))', () => remote(new URL('http://ann:secret@host') as never), 'Did you mean { url: … }?'],
    ['withTtl({ ttl })', () => persistify(memory()).withTtl({ ttl: 5, mode: 'sliding' } as never), 'there is no option ttl. Did you mean ms?'],
    ['withRetry({ retries })', () => persistify(memory()).withRetry({ retries: 5 } as never), 'there is no option retries. Did you mean maxAttempts?'],
  ])('of an option that others name so guesses at ours, and shows no secret: %s', (_name, step, message) => {
    expect(messageOf(step)).toContain(message);
    expect(messageOf(step)).not.toContain('secret');
  });

  it('of saving is of whole sentences, whether the provider ends its own or not', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open<Record<string, number>>('a');
    store.errors$.subscribe();
    for (const [said, told] of [['nope', 'nope.'], ['No.', 'No.'], ['why?', 'why?']] as const) {
      provider.verdict = () => new ProviderError(said, { kind: 'halt' });
      await expect(store.setAndSave('k', 1)).rejects.toThrow(`Not saved: ${told} It is kept and will be tried again.`);
      await expect(store.addAndSave('l', 1)).rejects.toThrow(`Not saved: ${told} Nothing was changed.`);
    }
    provider.verdict = () => undefined;
    await store.close();
  });

  it('of retrying says that the longest wait cannot be shorter than the first; without it, the first is the least', async () => {
    const asked = (step: (stores: PersistifyBuilder) => unknown): string => messageOf(() => step(persistify(memory())));
    expect(asked((stores) => stores.withRetry({ delayMs: 1_000, maxDelayMs: 10 }))).toBe('withRetry: maxDelayMs must be at least delayMs, which is 1000, not 10.');
    expect(messageOf(() => persistify(memory(), { retry: { delayMs: 1_000, maxDelayMs: 10 } }))).toBe('persistify: retry.maxDelayMs must be at least delayMs, which is 1000, not 10.');
    const waits: number[] = [];
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const provider = controlledProvider();
    const store = await persistify(provider).withRetry({ delayMs: 1_000_000 }).open<Record<string, number>>('a');
    provider.verdict = () => new ProviderError('Away.', { kind: 'retry' });
    const told = new Promise<void>((resolve) => store.errors$.subscribe(({ delayMs }) => resolve(void waits.push(delayMs))));
    store.setAndSave('k', 1).catch(() => undefined);
    await told;
    expect(waits[0]).toBe(500_000);
    await expect(store.close({ deadlineMs: 0 })).rejects.toThrow('"k"');
  });
});

describe('a store that is printed', () => {
  it('is short, and as JSON the object of its entries', async () => {
    const store = await persistify(memory()).open<Record<string, unknown>>('a');
    store.set('b', { c: 1 });
    store.set('__proto__', 2);
    expect(inspect(store)).toBe("Store \"a\" { size: 2, state: 'pending' }");
    expect(inspect({ store }, { depth: 0 })).toBe("{ store: Store \"a\" { size: 2, state: 'pending' } }");
    expect(JSON.stringify({ store })).toBe('{"store":{"b":{"c":1},"__proto__":2}}');
    expect(JSON.stringify(store)).toBe(JSON.stringify(store.toJSON()));
    await store.close();
    expect(inspect(store)).toBe("Store \"a\" { size: 2, state: 'closed' }");
  });

  it('has, as a cache, its name alone, as what memory has is not the dictionary', async () => {
    const cache = await persistify(memory()).openCache<Record<string, number>>('a');
    cache.set('b', 1);
    expect(inspect(cache)).toBe("Cache \"a\" { state: 'pending' }");
    expect(JSON.stringify(cache)).toBe('{"name":"a"}');
    await cache.close();
  });
});
