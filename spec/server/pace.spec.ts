import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { Reader, type Sink } from '../../lib/server/reader.ts';
import { StoreFeed, type Served } from '../../lib/server/store-feed.ts';
import { openStore } from './scene.ts';

/** A reader of a store in virtual time, and what it is told. `takes` is what its sink answers. */
async function scene({ rate = Infinity, prefix = '', history = 100 } = {}) {
  const store = await openStore();
  const scheduler = new VirtualTimeScheduler();
  scheduler.maxFrames = 0;
  const served: Served = store;
  const feed = new StoreFeed(served, { history, scheduler });
  const told: string[] = [];
  const state = { takes: true, ended: '' };
  const sink: Sink = {
    write: (text) => {
      told.push(text);
      return state.takes;
    },
    end: () => void (state.ended = 'in order'),
    cut: () => void (state.ended = 'cut'),
  };
  const errors: unknown[] = [];
  const reader = new Reader({ feed, sink, since: undefined, prefix, rate, heartbeatMs: 10_000, stallMs: 30_000, scheduler, onGone: () => undefined, report: (error) => errors.push(error) });
  reader.start();
  /** Lets time pass up to `ms`, and gives what is told by then. */
  const until = (ms: number): string[] => {
    scheduler.maxFrames = ms;
    scheduler.flush();
    return told.splice(0);
  };
  until(0);
  return { store, scheduler, feed, reader, state, until, told, errors };
}

/** The values of `key` that were told. */
function valuesOf(texts: readonly string[], key: string): unknown[] {
  return texts.flatMap((text) => [...text.matchAll(new RegExp(`"key":"${key}","value":(\\d+)`, 'g'))].map(([, value]) => Number(value)));
}

describe('the pace of a feed', () => {
  it('is that of the changes, the latest of each key a turn', async () => {
    const { store, until } = await scene();
    store.set('a', 1);
    store.set('a', 2);
    expect(valuesOf(until(1), 'a')).toEqual([2]);
    store.set('a', 3);
    expect(valuesOf(until(2), 'a')).toEqual([3]);
  });

  it('is at most the rate for each key, and the last value comes', async () => {
    const { store, until } = await scene({ rate: 10 });
    const told: unknown[] = [];
    for (let ms = 1; ms <= 1_000; ms++) {
      store.set('a', ms);
      told.push(...valuesOf(until(ms), 'a'));
    }
    told.push(...valuesOf(until(1_200), 'a'));
    expect(told.length).toBeGreaterThanOrEqual(9);
    expect(told.length).toBeLessThanOrEqual(11);
    expect(told.at(-1)).toBe(1_000);
    expect(until(5_000)).toEqual([]);
  });

  it('has a heartbeat, which moves the place to go on from where other keys changed', async () => {
    const { store, until, feed } = await scene({ prefix: 'a' });
    expect(until(9_999)).toEqual([]);
    expect(until(10_000)).toEqual([':\n\n']);
    store.set('b', 1);
    const texts = until(20_000).filter((text) => text.startsWith(':'));
    expect(texts).toEqual([`:\nid: ${feed.idOf(1)}\n\n`]);
    expect(until(30_000)).toEqual([':\n\n']);
  });

  it('is that of a reader who is slow: he is told less, of what is newest, and nothing waits for him', async () => {
    const { store, until, state, reader } = await scene();
    state.takes = false;
    store.set('a', 1);
    expect(valuesOf(until(1), 'a')).toEqual([1]);
    for (let value = 2; value <= 1_000; value++) store.set('a', value);
    expect(until(2)).toEqual([]);
    state.takes = true;
    reader.drained();
    expect(valuesOf(until(3), 'a')).toEqual([1_000]);
  });

  it('begins anew for one who is so slow that the history does not go back to him', async () => {
    const { store, until, state, reader } = await scene({ history: 3 });
    state.takes = false;
    store.set('a', 1);
    until(1);
    for (const key of ['b', 'c', 'd', 'e']) store.set(key, 1);
    state.takes = true;
    reader.drained();
    const texts = until(2).join('');
    expect(texts).toContain('event: reset');
    expect(texts).toContain('[["a",1],["b",1],["c",1],["d",1],["e",1]]');
    expect(texts).toContain('event: live');
  });

  it('ends for one who takes nothing for too long, and leaves no timer', async () => {
    const { store, until, state, scheduler, feed } = await scene();
    state.takes = false;
    store.set('a', 1);
    until(29_000);
    expect(state.ended).toBe('');
    until(40_000);
    expect(state.ended).toBe('cut');
    feed.stop();
    until(50_000);
    expect(scheduler.actions).toEqual([]);
  });

  it('keeps no more for a reader than where he is: one who never reads costs no memory', async () => {
    const { store, until, state, feed } = await scene();
    state.takes = false;
    for (let count = 0; count < 10_000; count++) {
      store.set('a', count);
      if (count % 100 === 0) until(count);
    }
    expect([...feed.log.after(0)].length).toBe(1);
  });
});
