import { memory, OptionsError, persistify, type Change, type Store } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { controlledProvider, recorded, settled } from '../support/controlled-provider.ts';

describe('a transaction', () => {
  let store: Store<Record<string, unknown>>;

  beforeEach(async () => {
    store = await persistify(memory()).open('transactions');
    store.set('kept', 0);
    await store.flush();
  });

  afterEach(() => store.close());

  it('reads its own writes, emits nothing until it returns, and gives what fn returns', () => {
    const changes = recorded(store.changes$);
    const sizes = recorded(store.size$);
    const result = store.transaction(() => {
      store.set('a', 1);
      store.set('b', 2);
      store.delete('kept');
      expect([store.get('a'), store.has('kept'), store.size]).toEqual([1, false, 2]);
      expect(changes).toEqual([]);
      return 'done';
    });
    expect(result).toBe('done');
    expect(changes.map(({ type, seq, transaction }) => [type, seq, transaction])).toEqual([
      ['set', 2, 1],
      ['set', 3, 1],
      ['delete', 4, 1],
    ]);
    expect(sizes).toEqual([1, 2]);
  });

  it('is undone by a throw: values, absences, a clear and what was pending before', async () => {
    store.set('pending', 'before');
    const changes = recorded(store.changes$);
    const before = [...store];
    const { unsaved } = store;
    const failing = (): void =>
      store.transaction(() => {
        store.set('kept', 1);
        store.set('pending', 'within');
        store.set('new', 1);
        store.clear();
        store.set('kept', 2);
        store.delete('kept');
        throw new RangeError('mine');
      });
    expect(failing).toThrow(new RangeError('mine'));
    expect([...store]).toEqual(before);
    expect(store.unsaved).toEqual(unsaved);
    expect(changes).toEqual([]);
    store.set('next', 1);
    expect(changes.map(({ seq }) => seq)).toEqual([3]);
    await store.reload();
    await store.flush();
  });

  it('is saved whole in one batch, however small batches are', async () => {
    const provider = controlledProvider();
    const small = await persistify(provider).withBatch({ size: 1, intervalMs: 0 }).open('small');
    await small.transactionAndSave(() => {
      for (let index = 0; index < 10; index++) small.set(`k${index}`, index);
    });
    expect(provider.attempts.map((batch) => batch.mutations.length)).toEqual([10]);
    expect(new Set(provider.attempts[0]?.mutations.map((mutation) => ('transaction' in mutation ? mutation.transaction : undefined)))).toEqual(new Set([1]));
    await small.close();
  });

  it('inside another is a savepoint', () => {
    const changes: Change[] = recorded(store.changes$);
    store.transaction(() => {
      store.set('outer', 1);
      expect(() =>
        store.transaction(() => {
          store.set('inner', 1);
          store.set('outer', 2);
          throw new Error('inner');
        }),
      ).toThrow('inner');
      expect([store.get('outer'), store.has('inner')]).toEqual([1, false]);
      store.transaction(() => store.set('second', 1));
    });
    expect(changes.map((change) => (change.type === 'set' ? change.key : change.type))).toEqual(['outer', 'second']);
    expect(new Set(changes.map(({ transaction }) => transaction)).size).toBe(1);
  });

  it('refuses a function that returns a promise, by its type and at run time, and undoes its writes', () => {
    const asynchronous = (): void => {
      // @ts-expect-error nothing is awaited in a transaction
      void store.transaction(async () => {
        store.set('a', 1);
        await Promise.resolve();
      });
    };
    expect(asynchronous).toThrow(OptionsError);
    expect(store.has('a')).toBe(false);
  });

  it('refuses waiting writes, flush, reload and close within it, applying none', async () => {
    const refusals: Promise<unknown>[] = [];
    store.transaction(() => {
      refusals.push(store.setAndSave('a', 1), store.addAndSave('a', 1), store.deleteAndSave('kept'), store.clearAndSave());
      refusals.push(store.updateAndSave('a', () => 1), store.transactionAndSave(() => 1), store.flush(), store.reload(), store.close());
    });
    for (const refusal of await Promise.allSettled(refusals)) expect(refusal).toMatchObject({ status: 'rejected', reason: { code: 'OPTIONS' } });
    expect([...store]).toEqual([['kept', 0]]);
  });

  it('is refused whole by storage, and memory shows what was below; others in the batch are saved', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open('refusing');
    await store.setAndSave('a', 'old');
    const changes = recorded(store.changes$);
    const errors = recorded(store.errors$);
    // The provider leaves a transaction out whole: both of its places.
    provider.verdict = (batch) => ({ leaveOut: batch.mutations.flatMap((mutation, index) => ('transaction' in mutation ? [index] : [])) });
    store.set('other', 1);
    const refused = store.transactionAndSave(() => {
      store.set('a', 'new');
      store.set('b', 'new');
    });
    await expect(refused).rejects.toMatchObject({ code: 'SAVE_FAILED', outcome: 'refused', keys: ['a', 'b'] });
    expect([...store]).toEqual([
      ['a', 'old'],
      ['other', 1],
    ]);
    expect(changes.slice(3)).toMatchObject([
      { type: 'set', key: 'a', value: 'old', previous: 'new', origin: 'reload' },
      { type: 'delete', key: 'b', previous: 'new', origin: 'reload' },
    ]);
    expect(errors).toMatchObject([{ operation: 'save', fatal: true, willRetry: false, keys: ['a', 'b'], error: { kind: 'refuse' } }]);
    await store.close();
  });

  it('that touches a pending key of another is stored together with it', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).open('joined');
    store.transaction(() => {
      store.set('a', 1);
      store.set('b', 1);
    });
    store.transaction(() => {
      store.set('b', 2);
      store.set('c', 2);
    });
    store.set('alone', 3);
    await store.flush();
    const numbers = provider.attempts[0]?.mutations.map((mutation) => ('transaction' in mutation ? mutation.transaction : undefined));
    expect(numbers?.[0]).toBeDefined();
    expect(numbers).toEqual([numbers?.[0], numbers?.[0], numbers?.[0], undefined]);
    await store.close();
  });

  it('announces its mutations only at its end, so that no batch takes half of it', async () => {
    const provider = controlledProvider();
    const store = await persistify(provider).withBatch({ size: 2 }).open('half');
    store.set('one', 1);
    store.transaction(() => {
      for (let index = 0; index < 5; index++) store.set(`k${index}`, index);
      expect(provider.attempts).toEqual([]);
    });
    await settled();
    expect(provider.attempts.map((batch) => batch.mutations.length)).toEqual([6]);
    await store.close();
  });
});
