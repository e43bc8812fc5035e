import { type as arktype } from 'arktype';
import { memory, persistify, type ChangeOf, type Store } from 'rx-persistify';
import type { Observable } from 'rxjs';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';

import { controlledProvider } from '../support/controlled-provider.ts';

interface Prefs {
  theme: 'dark' | 'light';
  fontSize: number;
}

describe('a store', () => {
  let store: Store<Record<string, unknown>>;

  beforeEach(async () => {
    store = await persistify(memory()).open('a');
  });

  afterEach(() => store.close());

  it('reads and iterates like a Map, in the order of insertion', () => {
    store.set('b', 1);
    store.set('a', 2);
    store.set('10', 3);
    store.set('b', 4);
    store.delete('a');
    store.set('a', 5);
    const map = new Map<string, unknown>([
      ['b', 4],
      ['10', 3],
      ['a', 5],
    ]);
    expect([...store]).toEqual([...map]);
    expect([...store.entries()]).toEqual([...map]);
    expect([...store.keys()]).toEqual([...map.keys()]);
    expect([...store.values()]).toEqual([...map.values()]);
    const seen: unknown[] = [];
    store.forEach((value, key) => seen.push([key, value]));
    expect(seen).toEqual([...map]);
    expect(store.size).toBe(3);
  });

  it('keeps keys such as __proto__ as ordinary ones', async () => {
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', ' ', '\n', '😀']) {
      expect(store.has(key)).toBe(false);
      expect(store.get(key)).toBeUndefined();
      store.set(key, key);
    }
    await store.flush();
    await store.reload();
    expect(store.get('__proto__')).toBe('__proto__');
    expect(store.size).toBe(7);
  });

  it('keeps the very object that it is given, and saves it as it was when set', async () => {
    const provider = controlledProvider();
    const other = await persistify(provider).open('b');
    const value = { count: 1 };
    other.set('a', value);
    value.count = 2;
    expect(other.get('a')).toBe(value);
    await other.flush();
    expect(provider.attempts[0]?.mutations).toEqual([{ type: 'set', key: 'a', json: '{"count":1}' }]);
    await other.close();
  });

  it('refuses bad keys and values at once, and changes nothing', async () => {
    for (const key of ['', 'nul\0', '\udc00', 'x'.repeat(1_025), 'ä'.repeat(513)]) expect(() => store.set(key, 1)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }));
    for (const value of [undefined, () => 1, Symbol('s'), 1n, Number.NaN, new Date(), new Map(), '\ud800']) {
      expect(() => store.set('a', value)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }));
      await expect(store.setAndSave('a', value)).rejects.toMatchObject({ code: 'INVALID_VALUE' });
    }
    expect(() => store.set('a', { list: [{ when: new Date() }] })).toThrow(expect.objectContaining({ path: '.list[0].when' }));
    expect([store.size, store.unsaved]).toEqual([0, []]);
  });

  it('asks the provider whether it can hold a value', async () => {
    const fussy = controlledProvider(memory(), { capabilities: { shared: false, durability: 'memory', maxValueBytes: 10, accepts: (json) => (json === '"odd"' ? 'it is odd' : undefined) } });
    const other = await persistify(fussy).open('b');
    expect(() => other.set('a', 'odd')).toThrow('it is odd');
    expect(() => other.set('a', 'ääääää')).toThrow('at most 10');
    other.set('a', 'ääää');
    await other.close();
  });

  it('add sets only what is absent; delete, update and their twins give what they did', async () => {
    expect([store.add('a', 1), store.add('a', 2), store.get('a')]).toEqual([true, false, 1]);
    expect([await store.addAndSave('b', 1), await store.addAndSave('b', 2)]).toEqual([true, false]);
    expect(store.update('a', (value) => Number(value) + 1)).toBe(2);
    expect(store.update('a', () => undefined)).toBe(2);
    expect(store.update('none', (value) => value)).toBeUndefined();
    expect(store.has('none')).toBe(false);
    expect(await store.updateAndSave('a', (value) => Number(value) * 10)).toBe(20);
    expect(() => store.update('a', () => { throw new Error('mine'); })).toThrow('mine');
    expect([store.delete('a'), store.delete('a'), await store.deleteAndSave('b'), await store.deleteAndSave('b')]).toEqual([true, false, true, false]);
    expect(await store.clearAndSave()).toBe(true);
    expect(await store.transactionAndSave(() => 'result')).toBe('result');
    expect(await store.flush()).toBe(true);
    expect(store.unsaved).toEqual([]);
  });

  it('names what is unsaved until it is saved', async () => {
    await store.setAndSave('a', 1);
    store.set('b', 1);
    store.delete('a');
    expect([store.unsaved, store.status]).toMatchObject([['b', 'a'], { state: 'pending', pending: 2 }]);
    store.clear();
    store.set('c', 1);
    expect([...store.unsaved].sort()).toEqual(['a', 'c']); // b never was in storage
    await store.flush();
    expect([store.unsaved, store.status.state]).toEqual([[], 'idle']);
  });

  it('a clear is one mutation, before what is set after it', async () => {
    const provider = controlledProvider();
    const other = await persistify(provider).open('b');
    for (let index = 0; index < 100; index++) other.set(`k${index}`, index);
    other.clear();
    other.set('after', 1);
    await other.flush();
    expect(provider.attempts[0]?.mutations).toEqual([{ type: 'clear' }, { type: 'set', key: 'after', json: '1' }]);
    await other.close();
  });
});

describe('a typed dictionary', () => {
  it('types each key, or all alike', async () => {
    const prefs = await persistify(memory()).open<Prefs>('prefs');
    expectTypeOf(prefs.get('theme')).toEqualTypeOf<'dark' | 'light' | undefined>();
    expectTypeOf(prefs.get$('fontSize')).toEqualTypeOf<Observable<number | undefined>>();
    expectTypeOf<ChangeOf<Prefs>>().toExtend<{ seq: number }>();
    prefs.set('theme', 'dark');
    // @ts-expect-error no such theme
    prefs.set('theme', 'green');
    // @ts-expect-error no such key
    expect(prefs.has('colour')).toBe(false);
    for (const [key, value] of prefs) if (key === 'theme') expectTypeOf(value).toEqualTypeOf<'dark' | 'light'>();
    const sessions = await persistify(memory()).open<Record<string, { user: string }>>('sessions');
    expectTypeOf(sessions.get('any')).toEqualTypeOf<{ user: string } | undefined>();
    await Promise.all([prefs.close(), sessions.close()]);
  });

  it('takes its types and checks from a Standard Schema of any house', async () => {
    const schemas = {
      zod: z.object({ port: z.number() }),
      valibot: v.object({ port: v.number() }),
      arktype: arktype({ port: 'number' }),
    };
    for (const schema of Object.values(schemas)) {
      const store = await persistify(memory()).withSchema(schema).open('a');
      store.set('web', { port: 80 });
      expectTypeOf(store.get('web')).toEqualTypeOf<{ port: number } | undefined>();
      expect(() => store.set('web', { port: 'eighty' } as never)).toThrow(expect.objectContaining({ code: 'VALIDATION' }));
      expect(store.get('web')).toEqual({ port: 80 });
      await store.close();
    }
  });

  it('by key refuses other keys; set takes the input, get gives the output, and the output is what is saved', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider)
      .withSchema({ port: z.coerce.number<string | number>().int(), tags: z.array(z.string()).default([]) })
      .open('a');
    expectTypeOf<typeof store.set<'port'>>().parameter(1).toEqualTypeOf<string | number>();
    expectTypeOf(store.get('port')).toEqualTypeOf<number | undefined>();
    await store.setAndSave('port', '8080');
    expect(store.get('port')).toBe(8080);
    expect(provider.attempts[0]?.mutations).toEqual([{ type: 'set', key: 'port', json: '8080' }]);
    // @ts-expect-error the schema has no such key
    expect(() => store.set('host', 'a')).toThrow('no key "host"');
    await store.close();
  });

  it('keeps rich values by a codec of its own or of zod', async () => {
    const provider = memory();
    const dates = persistify(provider).withCodec({ encode: (date: Date) => date.toISOString(), decode: (text: string) => new Date(text) });
    const store = await dates.open('dates');
    expectTypeOf(store.get('a')).toEqualTypeOf<Date | undefined>();
    store.set('a', new Date(0));
    await store.close();
    const again = await dates.open('dates');
    expect(again.get('a')).toEqual(new Date(0));
    await again.close();
    const zod = await persistify(provider)
      .withCodec(z.codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() }))
      .open('dates');
    expectTypeOf(zod.get('a')).toEqualTypeOf<Date | undefined>();
    expect(zod.get('a')).toEqual(new Date(0));
    await zod.close();
  });
});
