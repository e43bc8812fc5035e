import { memory, persistify, type Store } from 'rx-persistify';
import { Subject, type Observable, type Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { routeByKey } from '../lib/streams/route-by-key.ts';

const watched = 10_000;
const keyOf = (index: number): string => `key-${index}`;

describe(`${watched} watchers of different keys`, () => {
  let store: Store<Record<string, number>>;
  let heard: string[];
  let subscriptions: Subscription[];

  beforeEach(async () => {
    store = await persistify(memory()).open<Record<string, number>>('watchers');
    heard = [];
    subscriptions = Array.from({ length: watched }, (_, index) => store.get$(keyOf(index)).subscribe((value) => heard.push(`${keyOf(index)} = ${String(value)}`)));
    expect(heard).toHaveLength(watched); // each has its current value
    heard = [];
  });

  afterEach(() => store.close());

  it('a set reaches exactly one of them', () => {
    store.set(keyOf(4_321), 1);
    expect(heard).toEqual(['key-4321 = 1']);
  });

  it('as do update, delete, and each change of a transaction', () => {
    store.update(keyOf(7), () => 1);
    store.transaction(() => {
      store.set(keyOf(8), 2);
      store.set(keyOf(9), 3);
    });
    store.delete(keyOf(7));
    expect(heard).toEqual(['key-7 = 1', 'key-8 = 2', 'key-9 = 3', 'key-7 = undefined']);
  });

  it('a set of a key that nobody watches reaches none', () => {
    store.set('unwatched', 1);
    expect(heard).toEqual([]);
  });

  it('a set does no work for the others: no subscriber but one is called, nor any of their operators', () => {
    // Each watcher has a Subject of its own or shares one with those of its key; whoever is told, is told by `next`.
    const next = vi.spyOn(Subject.prototype, 'next');
    store.set(keyOf(1), 1);
    const calls = next.mock.calls.length;
    next.mockRestore();
    expect(heard).toEqual(['key-1 = 1']);
    expect(calls).toBeLessThan(10);
  });

  it('clear reaches those whose key was there', () => {
    store.set(keyOf(5), 1);
    heard = [];
    store.clear();
    expect(heard).toEqual(['key-5 = undefined']);
  });

  it('one that unsubscribes hears nothing more, and takes nothing from the others', () => {
    subscriptions[3]?.unsubscribe();
    store.set(keyOf(3), 1);
    store.set(keyOf(4), 1);
    expect(heard).toEqual(['key-4 = 1']);
  });

  it('unsubscribing leaves nothing behind: a change is not even made, as nobody would hear it', () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
    const next = vi.spyOn(Subject.prototype, 'next');
    store.set(keyOf(1), 1);
    const changes = next.mock.calls.filter(([value]) => typeof value === 'object' && value !== null && 'previous' in value);
    next.mockRestore();
    expect(changes).toEqual([]);
  });
});

describe('the routes of many watchers', () => {
  interface News {
    readonly key: string;
  }

  it('are as many as there are keys watched, and go with the last watcher of theirs', () => {
    const source = new Subject<News>();
    const routes = routeByKey<News>(source, ({ key }) => key);
    const watch = (of: Observable<News>): Subscription => of.subscribe();
    const first = Array.from({ length: watched }, (_, index) => watch(routes.of(keyOf(index))));
    const second = Array.from({ length: 100 }, (_, index) => watch(routes.of(keyOf(index))));
    expect(routes.size).toBe(watched);

    for (const subscription of first) subscription.unsubscribe();
    expect(routes.size).toBe(100);
    expect(routes.has(keyOf(0))).toBe(true);
    expect(routes.has(keyOf(100))).toBe(false);
    expect(source.observed).toBe(true);

    for (const subscription of second) subscription.unsubscribe();
    expect(routes.size).toBe(0);
    expect(source.observed).toBe(false);
  });
});
