import { memory, OptionsError, persistify, type Cache, type CacheOptions, type Store, type WaitOptions } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

type Numbers = Record<string, number>;
type Call = (store: Store<Numbers>, given: never) => unknown;
type CacheCall = (cache: Cache<Numbers>, given: never) => unknown;

const takesTtl: Readonly<Record<string, Call & CacheCall>> = {
  set: (store, given) => store.set('new', 1, given),
  add: (store, given) => store.add('new', 1, given),
  setAndSave: (store, given) => store.setAndSave('new', 1, given),
  addAndSave: (store, given) => store.addAndSave('new', 1, given),
};
const takesSignal: Readonly<Record<string, Call & CacheCall>> = {
  setAndSave: (store, given) => store.setAndSave('new', 1, given),
  addAndSave: (store, given) => store.addAndSave('new', 1, given),
  deleteAndSave: (store, given) => store.deleteAndSave('there', given),
  clearAndSave: (store, given) => store.clearAndSave(given),
  updateAndSave: (store, given) => store.updateAndSave('there', () => 2, given),
  transactionAndSave: (store, given) => store.transactionAndSave(() => store.set('new', 1), given),
  flush: (store, given) => store.flush(given),
  close: (store, given) => store.close(given),
};
const takesCallback: Readonly<Record<string, Call & CacheCall>> = {
  update: (store, given) => store.update('there', given),
  updateAndSave: (store, given) => store.updateAndSave('there', given),
  transaction: (store, given) => store.transaction(given),
  transactionAndSave: (store, given) => store.transactionAndSave(given),
};
const ofStore: Readonly<Record<string, Call>> = { ...takesSignal, reload: (store, given) => store.reload(given) };
const ofCache: Readonly<Record<string, CacheCall>> = {
  ...takesSignal,
  get: (cache, given) => cache.get('there', given),
  add: (cache, given) => cache.add('new', 1, given),
  update: (cache, given) => cache.update('there', () => 2, given),
  touch: (cache, given) => cache.touch('there', given),
  getOrSet: (cache, given) => cache.getOrSet('new', () => 1, given),
};

const callsOf = <C>(calls: Readonly<Record<string, C>>): [string, C][] => Object.entries(calls);

describe.each(['store', 'cache'] as const)('an argument of a call of a %s that is not what it should be', (kind) => {
  let opened: Store<Numbers> | Cache<Numbers>;

  beforeEach(async () => {
    const stores = persistify(memory());
    opened = kind === 'store' ? await stores.open<Numbers>('a') : await stores.openCache<Numbers>('a');
    await opened.setAndSave('there', 1);
  });

  afterEach(() => opened.close());

  /** What the call is refused with: thrown by what is synchronous, as no call that waits throws. */
  const refusalOf = async (call: Call | CacheCall, given: unknown): Promise<string> => {
    try {
      await (call as (on: unknown, given: unknown) => unknown)(opened, given);
    } catch (error) {
      if (error instanceof OptionsError) return error.message;
      throw error;
    } finally {
      expect([await opened.get('there'), await opened.get('new'), opened.unsaved, opened.status.state]).toEqual([1, undefined, [], 'idle']);
    }
    throw new Error('It was taken.');
  };

  it.each(callsOf(takesTtl))('is refused before anything is applied, be it no object, a time that is none, or a name that is not known: %s', async (name, call) => {
    expect(await refusalOf(call, 5_000)).toBe(`${name}: the argument must be an object of options, not 5000.`);
    expect(await refusalOf(call, null)).toBe(`${name}: the argument must be an object of options, not null.`);
    expect(await refusalOf(call, [])).toBe(`${name}: the argument must be an object of options, not an array.`);
    expect(await refusalOf(call, { ttlMs: 0 })).toBe(`${name}: ttlMs must be a number of milliseconds of at least 1, not 0.`);
    expect(await refusalOf(call, { ttl: 5_000 })).toContain(`${name}: there is no option ttl. Did you mean ttlMs? Known are ttlMs`);
  });

  it.each(callsOf<Call | CacheCall>(kind === 'store' ? ofStore : ofCache))('is refused where it is no signal, or another thing: %s', async (name, call) => {
    for (const none of [5, {}, null, 'now', new AbortController()]) expect(await refusalOf(call, { signal: none })).toContain(`${name}: signal must be an AbortSignal, not `);
    expect(await refusalOf(call, { signl: AbortSignal.abort() })).toContain(`${name}: there is no option signl. Did you mean signal? Known are `);
    expect(await refusalOf(call, 5)).toBe(`${name}: the argument must be an object of options, not 5.`);
    expect(await refusalOf(call, Object.defineProperty({}, 'signal', { enumerable: true, get: () => { throw new Error('no'); } }))).toContain('threw'); // prettier-ignore
  });

  it.each(callsOf(takesCallback))('is refused where it is no function: %s', async (name, call) => {
    expect(await refusalOf(call, 5)).toBe(`${name}: expected a function to be called, not 5.`);
    expect(await refusalOf(call, undefined)).toBe(`${name}: expected a function to be called, not undefined.`);
  });

  it('does not throw where the call waits, but rejects', async () => {
    for (const [, call] of Object.entries(kind === 'store' ? ofStore : ofCache)) await expect((call as (on: unknown, given: unknown) => Promise<unknown>)(opened, 5)).rejects.toThrow(OptionsError);
  });

  it('may be the deadline of a close', async () => {
    const close: Call & CacheCall = (store, given) => store.close(given);
    expect(await refusalOf(close, { deadline: 5 })).toBe('close: there is no option deadline. Did you mean deadlineMs? Known are deadlineMs, signal.');
    expect(await refusalOf(close, { deadlineMs: -1 })).toBe('close: deadlineMs must be a number of milliseconds from 0, not -1.');
    expect(await refusalOf(close, { deadlineMs: NaN })).toBe('close: deadlineMs must be a number of milliseconds from 0, not NaN.');
  });

  it('may be what is called of each entry, or to load one', async () => {
    const call: Call & CacheCall = (each: Store<Numbers> | Cache<Numbers>, given: never) => ('forEach' in each ? each.forEach(given) : each.getOrSet('new', given));
    expect(await refusalOf(call, undefined)).toBe(`${kind === 'store' ? 'forEach' : 'getOrSet'}: expected a function to be called, not undefined.`);
  });
});

describe('an option of a call', () => {
  it('is taken as it is meant, also where it is undefined, and a signal of another realm is one', async () => {
    const store = await persistify(memory()).open<Numbers>('a', { signal: undefined } as unknown as WaitOptions);
    store.set('a', 1, {});
    store.set('b', 1, { ttlMs: Infinity });
    store.add('c', 1, { ttlMs: undefined } as never);
    const signal = { aborted: false, addEventListener: () => undefined, removeEventListener: () => undefined };
    await store.setAndSave('d', 1, { signal: signal as unknown as AbortSignal });
    expect([...store.keys()]).toEqual(['a', 'b', 'c', 'd']);
    await store.close({ deadlineMs: Infinity });
  });

  it('of opening is refused likewise', async () => {
    const stores = persistify(memory());
    await expect(stores.open('a', { signl: AbortSignal.abort() } as WaitOptions)).rejects.toThrow(new OptionsError('open: there is no option signl. Did you mean signal? Known are signal.'));
    await expect(stores.open('a', 5 as WaitOptions)).rejects.toThrow(new OptionsError('open: the argument must be an object of options, not 5.'));
    await expect(stores.openCache('a', null as unknown as CacheOptions)).rejects.toThrow(new OptionsError('openCache: the argument must be an object of options, not null.'));
    await expect(stores.openCache('a', { signal: 5 } as unknown as CacheOptions)).rejects.toThrow(new OptionsError('openCache: signal must be an AbortSignal, not 5.'));
  });
});
