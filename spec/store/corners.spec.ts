import { memory, persistify } from 'rx-persistify';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import * as mini from 'zod/mini';

import { controlledProvider, gate, recorded, settled } from '../support/controlled-provider.ts';

/** A provider whose storage holds these texts. */
async function holding(rows: Readonly<Record<string, string>>) {
  const inner = memory();
  const session = await inner.open('a', { writer: 'before', report: () => undefined });
  const mutations = Object.entries(rows).map(([key, json]) => ({ type: 'set', key, json }) as const);
  await session.write({ number: 1, writer: 'before', mutations }, { signal: new AbortController().signal });
  const stored = async (key: string): Promise<boolean> => (await session.read?.([key]))?.length === 1;
  return { provider: controlledProvider(inner), stored };
}

describe('what reads do not see', () => {
  it('a deleted quarantined entry is waited for by its own batch, and not by one under way', async () => {
    const { provider, stored } = await holding({ bad: '{' });
    const busy = gate();
    provider.verdict = () => (provider.attempts.length === 1 ? busy.opened : undefined);
    const store = await persistify(provider).withBatch({ size: 1 }).open<Record<string, number>>('a');
    store.set('x', 1);
    await settled();
    const deleting = store.deleteAndSave('bad').then(() => stored('bad'));
    await settled();
    busy.open();
    expect(await deleting).toBe(false);
    await store.close();
  });

  it('nor is a clear of quarantined entries alone', async () => {
    const { provider, stored } = await holding({ bad: '{' });
    const busy = gate();
    const store = await persistify(provider).withBatch({ size: 1 }).open<Record<string, number>>('a');
    await store.setAndSave('x', 1);
    await settled();
    provider.verdict = () => busy.opened;
    store.delete('x');
    await settled();
    const clearing = store.clearAndSave().then(() => stored('bad'));
    await settled();
    busy.open();
    expect(await clearing).toBe(false);
    await store.close();
  });

  it('reload takes the delete of a quarantined entry back', async () => {
    const { provider } = await holding({ bad: '{' });
    const store = await persistify(provider).withBatch({ intervalMs: 60_000 }).open('a');
    expect(store.delete('bad')).toBe(true);
    await store.reload();
    expect([[...store.quarantined.keys()], store.unsaved]).toEqual([['bad'], []]);
    await store.close();
  });
});

describe('a subscription made within a transaction that is rolled back', () => {
  const failing = (body: () => void) => (): void => {
    body();
    throw new Error('rolled back');
  };

  it('hears how things are, and every later change', async () => {
    const store = await persistify(memory()).open<Record<string, number>>('a');
    store.set('kept', 1);
    const told: unknown[][] = [];
    const transaction = failing(() => {
      store.set('a', 1);
      store.set('a', 2);
      told.push(recorded(store.get$('a')), recorded(store.has$('a')), recorded(store.size$), recorded(store.entries$));
    });
    expect(() => store.transaction(transaction)).toThrow('rolled back');
    expect(told.slice(0, 3)).toEqual([
      [2, undefined],
      [true, false],
      [2, 1],
    ]);
    store.set('a', 5);
    await settled();
    expect(told.map((values) => values.at(-1))).toEqual([5, true, 2, [['kept', 1], ['a', 5]]]);
    await store.close();
  });
});

describe('options', () => {
  it('that are undefined mean the default', async () => {
    const provider = controlledProvider();
    const sizes: Record<string, undefined> = { size: undefined, intervalMs: undefined };
    const store = await persistify(provider).withBatch(sizes as object).open('a');
    store.set('a', 1);
    await settled();
    expect(provider.attempts).toEqual([]);
    await store.close();
  });

  it('take a codec of zod, and of its mini edition, by its types too', async () => {
    const iso = { decode: (text: string) => new Date(text), encode: (date: Date) => date.toISOString() };
    for (const codec of [z.codec(z.iso.datetime(), z.date(), iso), mini.codec(mini.iso.datetime(), mini.date(), iso)]) {
      const store = await persistify(memory()).withCodec(codec).open('a');
      expectTypeOf(store.get('a')).toEqualTypeOf<Date | undefined>();
      store.set('a', new Date(0));
      await store.flush();
      await store.reload();
      expect(store.get('a')).toEqual(new Date(0));
      await store.close();
    }
  });
});

describe('a provider that throws synchronously when it is closed', () => {
  it('has close reject, and yet every stream complete and the name be free', async () => {
    const provider = controlledProvider(memory(), {
      close: () => {
        throw new Error('not closing');
      },
    });
    const stores = persistify(provider);
    const store = await stores.open('a');
    let isComplete = false;
    store.changes$.subscribe({ complete: () => (isComplete = true) });
    await expect(store.close()).rejects.toThrow('not closing');
    expect([isComplete, store.status.state]).toEqual([true, 'closed']);
    expect(await stores.open('a')).not.toBe(store);
  });
});

describe('a close that gives up', () => {
  it('rejects a reload that waits behind a write that hangs', async () => {
    const provider = controlledProvider();
    provider.verdict = () => new Promise(() => undefined);
    const store = await persistify(provider).withBatch({ size: 1 }).open('a');
    store.set('a', 1);
    await settled();
    const reloading = store.reload();
    const closing = store.close({ deadlineMs: 20 });
    await expect(reloading).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    await expect(closing).rejects.toMatchObject({ code: 'SAVE_FAILED', outcome: 'unknown', keys: ['a'] });
  });
});
