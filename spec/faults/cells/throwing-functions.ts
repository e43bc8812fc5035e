import type { StandardSchemaV1 } from '@standard-schema/spec';
import { CorruptDataError, InvalidValueError, persistify, ValidationError, type JsonValue, type Provider, type Store } from 'rx-persistify';
import { expect } from 'vitest';

import type { Random } from '../../crash/random.ts';
import { oneOf } from './damage.ts';
import type { Trial } from './matrix.ts';
import type { Storages } from './storages.ts';

/** A number is good, unless it is divisible by 7: that one is what the codec or schema throws at. */
const isBad = (value: number): boolean => value % 7 === 0;

class OwnError extends Error {}

function thrower(): never {
  throw new OwnError('thrown by a function of the user');
}

/** What a function that throws stands in for. */
type Place = 'codec' | 'schema';

const codec = {
  encode: (value: number): JsonValue => (isBad(value) ? thrower() : [value]),
  decode: (json: JsonValue): number => (Array.isArray(json) && typeof json[0] === 'number' ? json[0] : thrower()),
};

const schema: StandardSchemaV1<number> = {
  '~standard': {
    version: 1,
    vendor: 'a test',
    validate: (input) => (typeof input !== 'number' || isBad(input) ? thrower() : { value: input }),
  },
};

function opened(provider: Provider, place: Place): Promise<Store<Record<string, number>>> {
  const builder = persistify(provider).withBatch({ size: 4, intervalMs: 2 });
  return place === 'codec' ? builder.withCodec(codec).open('functions') : builder.withSchema(schema).open('functions');
}

/** Uses a store and a plain Map alike. What throws changes neither. */
class Twin {
  readonly model = new Map<string, number>();
  thrown = 0;
  readonly #store: Store<Record<string, number>>;
  readonly #random: Random;
  readonly #refusal: typeof InvalidValueError | typeof ValidationError;

  constructor(store: Store<Record<string, number>>, random: Random, place: Place) {
    this.#store = store;
    this.#random = random;
    this.#refusal = place === 'codec' ? InvalidValueError : ValidationError;
  }

  async act(): Promise<void> {
    const [store, random] = [this.#store, this.#random];
    const key = `key ${random.whole(1, 20)}`;
    const [good, bad] = [random.whole(0, 100) * 7 + random.whole(1, 6), random.whole(0, 100) * 7];
    const seven = random.whole(0, 12);
    switch (seven) {
      case 0:
        this.#throws(() => store.set(key, bad), this.#refusal);
        return;
      case 1:
        return this.#rejects(store.setAndSave(key, bad), this.#refusal);
      case 2:
        this.#throws(() => store.update(key, () => bad), this.#refusal);
        return;
      case 3:
        this.#throws(() => store.update(key, thrower), OwnError);
        return;
      case 4:
        return this.#rejects(store.updateAndSave(key, thrower), OwnError);
      case 5:
        return this.#rejects(store.updateAndSave(key, () => bad), this.#refusal);
      case 6:
        this.#throws(() => store.transaction(() => this.#setThenThrow(key, good, thrower)), OwnError);
        return;
      case 7:
        return this.#rejects(store.transactionAndSave(() => this.#setThenThrow(key, good, () => store.set(key, bad))), this.#refusal);
      case 8:
        return this.#rejects(store.addAndSave(`new ${random.whole(1, 1_000_000)}`, bad), this.#refusal);
      case 9:
        await store.updateAndSave(key, () => good);
        break;
      case 10:
        await store.setAndSave(key, good);
        break;
      default:
        store.set(key, good);
    }
    this.model.set(key, good);
  }

  #setThenThrow(key: string, value: number, last: () => void): void {
    this.#store.set(key, value);
    this.#store.delete(key);
    this.#store.clear();
    this.#store.set('left over', value);
    last();
  }

  #throws(call: () => unknown, type: new (...args: never[]) => Error): void {
    this.thrown++;
    expect(call).toThrow(type);
    this.#expectSame();
  }

  async #rejects(call: Promise<unknown>, type: new (...args: never[]) => Error): Promise<void> {
    this.thrown++;
    expect(await call.catch((error: unknown) => error)).toBeInstanceOf(type);
    this.#expectSame();
  }

  #expectSame(): void {
    expect(new Map(this.#store)).toEqual(this.model);
  }
}

/** A codec, a schema, and functions given to `update` and `transaction` throw: nothing is changed, in memory or in storage, and it goes on. */
export function functionsThrow(storages: Storages): Trial {
  return async (cell) => {
    const tally = { thrown: 0, saved: 0, quarantined: 0 };
    for (const place of ['codec', 'schema'] as const) {
      const storage = storages.fresh({ ...cell, directory: `${cell.directory}/${place}` });
      const store = await opened(storage.provider(), place);
      const failures: unknown[] = [];
      store.errors$.subscribe((failure) => failures.push(failure));
      store.saves$.subscribe(({ count }) => (tally.saved += count));
      const twin = new Twin(store, cell.random, place);
      for (let left = cell.times(150, 20_000); left > 0; left--) await twin.act();
      tally.thrown += twin.thrown;
      await store.close();
      expect(failures).toEqual([]);

      // What another version of the program stored, this one's function throws at.
      const other = await persistify(storage.provider()).open('functions');
      const key = oneOf([...twin.model.keys()], cell.random);
      const before = other.get(key);
      await other.setAndSave(key, 49);
      await other.close();
      const again = await opened(storage.provider(), place);
      expect([...again.quarantined.keys()]).toEqual([key]);
      expect(again.quarantined.get(key)?.error).toBeInstanceOf(CorruptDataError);
      await again.setAndSave('another', 1);
      await again.close();
      tally.quarantined++;
      const last = await persistify(storage.provider()).open('functions');
      expect(last.get(key), 'left as it is').toBe(49);
      await last.setAndSave(key, before);
      await last.close();
      const whole = await opened(storage.provider(), place);
      expect(new Map(whole)).toEqual(new Map([...twin.model, ['another', 1]]));
      await whole.close();
    }
    return tally;
  };
}
