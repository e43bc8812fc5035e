import { memory, persistify, type ChangeOf, type PersistifyBuilder, type Store } from 'rx-persistify';
import { expectTypeOf, it } from 'vitest';
import { z } from 'zod';

interface Prefs {
  readonly theme: 'dark' | 'light';
  readonly size?: number;
}

type Told = ChangeOf<Prefs>;

it('a change has the type of value of its key, which is never undefined', () => {
  expectTypeOf<Extract<Told, { type: 'set'; key: 'theme' }>['value']>().toEqualTypeOf<'dark' | 'light'>();
  expectTypeOf<Extract<Told, { type: 'set'; key: 'size' }>['value']>().toEqualTypeOf<number>();
  expectTypeOf<Extract<Told, { type: 'delete'; key: 'size' }>['previous']>().toEqualTypeOf<number>();
  const size = (change: Told): number | undefined => (change.type === 'set' && change.key === 'size' ? change.value : undefined);
  expectTypeOf(size).returns.toEqualTypeOf<number | undefined>();
  expectTypeOf<Extract<ChangeOf<Record<string, Date>>, { type: 'expire' }>['previous']>().toEqualTypeOf<Date>();
  expectTypeOf<Extract<Told, { type: 'clear' }>['previous']>().toEqualTypeOf<ReadonlyMap<'theme' | 'size', 'dark' | 'light' | number | undefined>>();
});

it('what a schema or codec says of values, who opens may make narrower, and not another thing', async () => {
  const ports = persistify(memory()).withSchema({ port: z.number(), host: z.string() });
  expectTypeOf(() => ports.open<{ port: 80 | 443 }>('a')).returns.resolves.toEqualTypeOf<Store<{ port: 80 | 443 }>>();
  const dates = persistify(memory()).withCodec({ encode: (date: Date) => date.getTime(), decode: (time: number) => new Date(time) });
  expectTypeOf(() => dates.open<{ born: Date }>('a')).returns.resolves.toEqualTypeOf<Store<{ born: Date }>>();
  // @ts-expect-error a value of another type than the schema has it
  const other = ports.open<{ port: string }>('b');
  // @ts-expect-error a key that the schema has not
  const unknown = ports.open<{ colour: string }>('c');
  // @ts-expect-error a value of another type than the codec makes
  const text = dates.open<{ born: string }>('d');
  for (const store of await Promise.all([other, unknown, text])) await store.close();
});

it('a function may open what its user describes', async () => {
  const opened = <T>(stores: PersistifyBuilder): Promise<Store<T>> => stores.open<T>('a');
  const prefs = await opened<Prefs>(persistify(memory()));
  expectTypeOf(prefs).toEqualTypeOf<Store<Prefs>>();
  await prefs.close();
});
