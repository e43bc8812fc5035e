import { config, firstValueFrom, last, toArray, type Subscription } from 'rxjs';
import { memory, persistify, type Change, type Store } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { recorded, settled } from '../support/controlled-provider.ts';

describe('the streams of a store', () => {
  let store: Store<Record<string, unknown>>;

  beforeEach(async () => {
    store = await persistify(memory()).open('streams');
  });

  afterEach(async () => {
    config.onUnhandledError = null;
    await store.close();
  });

  it('get$ gives the current value at once, then every other one', () => {
    store.set('a', 1);
    const values = recorded(store.get$('a'));
    store.set('a', 2);
    store.set('b', 9);
    store.delete('a');
    store.set('a', 3);
    expect(values).toEqual([1, 2, undefined, 3]);
  });

  it('get$ does not repeat a value that is the same by Object.is, while changes$ tells each set', () => {
    const same = { deep: true };
    const values = recorded(store.get$('a'));
    const changes = recorded(store.changes$);
    store.set('a', same);
    store.set('a', same);
    store.set('a', { deep: true });
    expect(values).toEqual([undefined, same, { deep: true }]);
    expect(changes).toHaveLength(3);
  });

  it('tell what a handler writes in the middle of a transaction after all of it', () => {
    store.changes$.subscribe(({ type, seq }) => {
      if (type === 'set' && seq === 1) store.set('b', 'later');
    });
    const changes = recorded(store.changes$);
    const values = recorded(store.get$('b'));
    const sizes = recorded(store.size$);
    store.transaction(() => {
      store.set('a', 1);
      store.set('b', 2);
      store.set('c', 3);
    });
    expect(changes.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect(values).toEqual([undefined, 2, 'later']);
    expect(sizes).toEqual([0, 3]);
  });

  it('tell what a handler writes in the middle of a reload after all of it', async () => {
    const provider = memory();
    const [mine, theirs] = await Promise.all([persistify(provider).open('a'), persistify(provider).open('a')]);
    const values = recorded(mine.get$('b'));
    const changes = recorded(mine.changes$);
    const first = mine.changes$.subscribe(({ origin }) => {
      if (origin === 'local') return;
      first.unsubscribe();
      mine.set('b', 'mine');
    });
    theirs.transaction(() => {
      theirs.set('a', 1);
      theirs.set('b', 'theirs');
    });
    await theirs.flush();
    await settled();
    expect(changes.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(values).toEqual([undefined, 'theirs', 'mine']);
    expect(mine.get('b')).toBe('mine');
    await Promise.all([mine.close(), theirs.close()]);
  });

  it('has$, size$ and entries$ follow from their current answers', async () => {
    store.set('a', 1);
    const has = recorded(store.has$('a'));
    const sizes = recorded(store.size$);
    const entries = recorded(store.entries$);
    store.set('a', 2);
    store.set('b', 1);
    store.delete('a');
    await settled();
    expect(has).toEqual([true, false]);
    expect(sizes).toEqual([1, 2, 1]);
    expect(entries).toEqual([[['a', 1]], [['b', 1]]]);
  });

  it('entries$ is told at most once a macrotask, in an array of its own each time', async () => {
    const entries = recorded(store.entries$);
    for (let round = 0; round < 100; round++) store.set(`k${round}`, round);
    await settled();
    for (let round = 0; round < 100; round++) store.set(`k${round}`, -round);
    await settled();
    expect(entries.map((pairs) => pairs.length)).toEqual([0, 100, 100]);
    expect(entries[1]).not.toBe(entries[2]);
  });

  it('entries$ that is subscribed to in a transaction shows what is there when that was taken back, whatever is set then', async () => {
    const seen: unknown[] = [];
    expect(() =>
      store.transaction(() => {
        store.set('tentative', 1);
        store.entries$.subscribe((entries) => seen.push(Object.fromEntries(entries)));
        throw new Error('undo');
      }),
    ).toThrow('undo');
    store.set('real', 1);
    await settled();
    expect(seen).toEqual([{ tentative: 1 }, { real: 1 }]);
  });

  it('tells a change first to changes$, then to the watchers of its key, then to those of the size, when memory shows it', () => {
    const heard: string[] = [];
    store.size$.subscribe((size) => heard.push(`size ${size}`));
    store.get$('a').subscribe((value) => heard.push(`get ${String(value)}`));
    store.changes$.subscribe((change) => heard.push(`${change.type} ${String(store.get('a'))}`));
    heard.length = 0;
    store.set('a', 1);
    expect(heard).toEqual(['set 1', 'get 1', 'size 1']);
  });

  it('changes carry seq, origin, value and previous; clear hands the old map over', () => {
    const changes: Change[] = recorded(store.changes$);
    store.set('a', 1);
    store.set('a', 2);
    store.delete('a');
    store.set('b', { x: 1 });
    store.clear();
    expect(changes.slice(0, 4)).toEqual([
      { type: 'set', key: 'a', value: 1, previous: undefined, seq: 1, origin: 'local' },
      { type: 'set', key: 'a', value: 2, previous: 1, seq: 2, origin: 'local' },
      { type: 'delete', key: 'a', previous: 2, seq: 3, origin: 'local' },
      { type: 'set', key: 'b', value: { x: 1 }, previous: undefined, seq: 4, origin: 'local' },
    ]);
    const clear = changes[4];
    expect(clear?.type === 'clear' ? [...clear.previous] : undefined).toEqual([['b', { x: 1 }]]);
    expect(clear?.seq).toBe(5);
  });

  it('clear reaches the watchers of every key', () => {
    store.set('a', 1);
    const [a, b, size] = [recorded(store.get$('a')), recorded(store.has$('b')), recorded(store.size$)];
    store.clear();
    expect([a, b, size]).toEqual([[1, undefined], [false], [1, 0]]);
  });

  it('deleting an absent key and clearing an empty store are no changes', () => {
    const changes = recorded(store.changes$);
    expect(store.delete('nothing')).toBe(false);
    store.clear();
    expect(changes).toEqual([]);
  });

  it('a write inside a handler shows in memory at once and is told after the change under way has reached everyone', () => {
    const first: number[] = [];
    const second: number[] = [];
    store.changes$.subscribe(({ seq }) => {
      first.push(seq);
      if (seq === 1) {
        store.set('b', 'nested');
        expect(store.get('b')).toBe('nested');
      }
    });
    store.changes$.subscribe(({ seq }) => second.push(seq));
    store.set('a', 1);
    expect([first, second]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('a subscription made inside a handler hears nothing again that its first value included', () => {
    const late: unknown[] = [];
    store.changes$.subscribe(({ seq }) => {
      if (seq !== 1) return;
      store.set('b', 2);
      store.get$('b').subscribe((value) => late.push(value));
      store.set('b', 3);
    });
    store.set('a', 1);
    expect(late).toEqual([2, 3]);
  });

  it('what a subscriber writes on hearing its first value is not missed', () => {
    const values: unknown[] = [];
    store.get$('a').subscribe((value) => {
      values.push(value);
      if (value === undefined) store.set('a', 'made');
    });
    expect(values).toEqual([undefined, 'made']);
  });

  it('a subscriber that throws keeps the value from nobody, and its error goes where RxJS sends it', async () => {
    const unhandled: unknown[] = [];
    config.onUnhandledError = (error) => unhandled.push(error);
    store.get$('a').subscribe((value) => {
      if (value !== undefined) throw new Error('mine');
    });
    const others = recorded(store.get$('a'));
    store.set('a', 1);
    store.set('a', 2);
    await new Promise((resolve) => setTimeout(resolve));
    expect(others).toEqual([undefined, 1, 2]);
    expect(unhandled).toEqual([new Error('mine'), new Error('mine')]);
  });

  it('one that unsubscribes inside its handler hears no more', () => {
    const heard: number[] = [];
    const subscription: Subscription = store.changes$.subscribe(({ seq }) => {
      heard.push(seq);
      subscription.unsubscribe();
    });
    store.set('a', 1);
    store.set('a', 2);
    expect(heard).toEqual([1]);
  });

  it('the logs are hot: they replay nothing', () => {
    store.set('a', 1);
    expect(recorded(store.changes$)).toEqual([]);
  });

  it('close completes every stream, and $ reads made afterwards emit once and complete', async () => {
    store.set('a', 1);
    const ends = [store.changes$, store.saves$, store.errors$, store.get$('a'), store.has$('a'), store.size$, store.entries$, store.status$].map((stream$) =>
      firstValueFrom(stream$.pipe(last(null, 'empty'), toArray())),
    );
    await store.close();
    await Promise.all(ends);
    expect(await firstValueFrom(store.get$('a').pipe(toArray()))).toEqual([1]);
    expect(await firstValueFrom(store.get$('none').pipe(toArray()))).toEqual([undefined]);
    expect(await firstValueFrom(store.has$('a').pipe(toArray()))).toEqual([true]);
    expect(await firstValueFrom(store.size$.pipe(toArray()))).toEqual([1]);
    expect(await firstValueFrom(store.entries$.pipe(toArray()))).toEqual([[['a', 1]]]);
    expect(await firstValueFrom(store.status$.pipe(toArray()))).toMatchObject([{ state: 'closed', pending: 0 }]);
    expect(await firstValueFrom(store.changes$.pipe(toArray()))).toEqual([]);
  });
});
