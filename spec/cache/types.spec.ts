import { memory, persistify, type Cache, type ChangeOf } from 'rx-persistify';
import type { Observable } from 'rxjs';
import { expectTypeOf, it } from 'vitest';
import { z } from 'zod';

interface Session {
  readonly user: string;
}

interface Prefs {
  readonly theme: string;
  readonly size: number;
}

it('the type of a cache has nothing that would speak for memory alone', () => {
  expectTypeOf<keyof Cache<Prefs> & ('has' | 'has$' | 'size' | 'size$' | 'entries' | 'entries$' | 'values' | 'forEach' | 'quarantined' | 'reload' | typeof Symbol.iterator)>().toEqualTypeOf<never>();
});

it('is typed by what the dictionary is said to be', async () => {
  const sessions = await persistify(memory()).openCache<Record<string, Session>>('sessions');
  expectTypeOf(sessions).toEqualTypeOf<Cache<Record<string, Session>>>();
  expectTypeOf(() => sessions.get('a')).returns.toEqualTypeOf<Promise<Session | undefined>>();
  expectTypeOf(() => sessions.peek('a')).returns.toEqualTypeOf<Session | undefined>();
  expectTypeOf(() => sessions.get$('a')).returns.toEqualTypeOf<Observable<Session | undefined>>();
  expectTypeOf(() => sessions.getOrSet('a', () => ({ user: 'ann' }))).returns.toEqualTypeOf<Promise<Session>>();
  expectTypeOf(sessions.changes$).toEqualTypeOf<Observable<ChangeOf<Record<string, Session>>>>();
  expectTypeOf(() => sessions.keys()).returns.toEqualTypeOf<AsyncIterableIterator<string>>();
  expectTypeOf(() => sessions.count()).returns.toEqualTypeOf<Promise<number>>();
  await sessions.close();
});

it('is typed key by key, and refuses other keys and values', async () => {
  const prefs = await persistify(memory()).openCache<Prefs>('prefs');
  expectTypeOf(() => prefs.get('theme')).returns.resolves.toEqualTypeOf<string | undefined>();
  expectTypeOf(() => prefs.update('size', (size = 12) => size + 1)).returns.resolves.toEqualTypeOf<number | undefined>();
  expectTypeOf<Parameters<typeof prefs.set<'size'>>[1]>().toEqualTypeOf<number>();
  // @ts-expect-error a key that is none
  await prefs.get('colour');
  // @ts-expect-error a value of another key
  await prefs.getOrSet('size', () => 'large');
  // @ts-expect-error nothing is awaited in a transaction
  await prefs.transactionAndSave(() => Promise.resolve(1)).catch(() => undefined);
  await prefs.close();
});

it('takes the input of a schema, and gives its output', async () => {
  const schema = z.union([z.number(), z.string().transform(Number)]);
  const numbers = await persistify(memory()).withSchema(schema).openCache('numbers');
  expectTypeOf(numbers).toEqualTypeOf<Cache<Record<string, number>, Record<string, string | number>>>();
  expectTypeOf(() => numbers.getOrSet('a', () => '1')).returns.resolves.toEqualTypeOf<number>();
  expectTypeOf<Parameters<typeof numbers.set<string>>[1]>().toEqualTypeOf<string | number>();
  const byKey = await persistify(memory()).withSchema({ theme: z.string(), size: z.coerce.number<string | number>() }).openCache('by key');
  expectTypeOf(() => byKey.get('size')).returns.resolves.toEqualTypeOf<number | undefined>();
  await numbers.close();
  await byKey.close();
});
