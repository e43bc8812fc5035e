import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { Reader, type Sink } from '../../lib/server/reader.ts';
import { StoreFeed, type Served } from '../../lib/server/store-feed.ts';
import { openStore, type Anything } from './scene.ts';

interface Scene {
  readonly rate: number;
  readonly prefix: string;
  readonly history: number;
  readonly entries: Readonly<Anything>;
  readonly takes: boolean;
}

/** A reader of a store in virtual time, and what it is told. `takes` is what its sink answers. */
async function scene({ rate = Infinity, prefix = '', history = 100, entries = {}, takes = true }: Partial<Scene> = {}) {
  const store = await openStore(entries);
  const scheduler = new VirtualTimeScheduler();
  scheduler.maxFrames = 0;
  const served: Served = store;
  const feed = new StoreFeed(served, { history, scheduler });
  const told: string[] = [];
  const state = { takes, ended: '' };
  const sink: Sink = {
    write: (text) => {
      told.push(text);
      return state.takes;
    },
    end: () => {
      if (state.ended !== '') throw new Error('it has ended already');
      state.ended = 'in order';
    },
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

  describe('for one who is told everything slowly, while more keys change than the history has', () => {
    const value = (of: number): string => `${of}${'x'.repeat(20_000)}`;
    const entries = Object.fromEntries(Array.from({ length: 20 }, (_, key) => [`key ${key}`, value(0)]));

    async function slowScene() {
      const slow = await scene({ history: 3, entries, takes: false });
      let [changed, ms] = [0, 0];
      /** Some keys change, and he takes somewhat more than that. */
      const step = (): string => {
        for (let count = 0; count < 2; count++) slow.store.set(`key ${++changed % 20}`, value(changed));
        const told = Array.from({ length: 2 }, () => {
          slow.reader.drained();
          return slow.until(++ms);
        });
        return told.flat().join('');
      };
      const remembered = (): number => [...slow.feed.log.after(slow.feed.log.floor)].length;
      return { ...slow, step, remembered };
    }

    it('comes to be live, with all that there is, and the history is as it was', async () => {
      const { store, step, until, remembered } = await slowScene();
      let all = '';
      for (let count = 0; count < 30 && !all.includes('event: live'); count++) all += step();
      all += until(1_000).join('');
      expect(all).not.toContain('event: reset'); // but for the first, before anything changed
      expect(all.match(/event: live/g)).toHaveLength(1);
      const known = new Map<string, string>();
      for (const [, key = '', text = ''] of all.matchAll(/(key \d+)",(?:"value":)?"(\d+x+)"/g)) known.set(key, text);
      expect(known).toEqual(new Map(store));
      expect(remembered()).toBe(3);
    });

    it('remembers no more for him when he is gone', async () => {
      const { feed, reader, step, until, remembered } = await slowScene();
      for (let count = 0; count < 4; count++) step();
      expect(remembered()).toBeGreaterThan(6);
      reader.gone();
      until(1_000);
      expect(remembered()).toBe(3);
      expect(feed.log.floor).toBe(feed.log.head - 3);
    });

    it('remembers no more for him when he is cut', async () => {
      const { state, step, until, remembered } = await slowScene();
      for (let count = 0; count < 4; count++) step();
      until(100_000);
      expect(state.ended).toBe('cut');
      expect(remembered()).toBe(3);
    });
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

  it('waits for one who takes a large value piece by piece, and cuts no character in two', async () => {
    const { store, until, state, reader } = await scene();
    state.takes = false;
    const value = `${'x'.repeat(63_000)}${'\u{1f600}'.repeat(70_000)}`;
    store.set('large', value);
    const pieces: string[] = [];
    for (let ms = 20_000; pieces.at(-1)?.endsWith('\n\n') !== true; ms += 20_000) {
      pieces.push(...until(ms));
      expect(state.ended).toBe('');
      expect(pieces.every((piece) => piece.length <= 64_001 && piece.isWellFormed())).toBe(true);
      reader.drained();
    }
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.join('')).toContain(JSON.stringify(value));
  });

  it('leaves other work its turns while it looks for the keys of a prefix among very many', async () => {
    const { store, until, scheduler, told } = await scene({ prefix: 'rare', history: 10 });
    for (let count = 0; count < 45_000; count++) store.set(`key ${count}`, 1);
    store.set('rare', 1);
    let turns = 0;
    const other = (): void => {
      if (told.join('').includes('event: live')) return;
      turns++;
      scheduler.schedule(other);
    };
    scheduler.schedule(other);
    expect(until(1).join('')).toContain('[["rare",1]]');
    expect(turns).toBeGreaterThan(4);
  });

  it('tells a clear once, when it is its turn, also to one who was waited for', async () => {
    const { store, until, state, reader } = await scene({ rate: 1 });
    store.set('a', 1);
    state.takes = false;
    store.set('b', 'x'.repeat(70_000));
    store.set('c', 1);
    until(1_000);
    store.clear();
    store.set('d', 1);
    state.takes = true;
    reader.drained();
    expect(until(5_000).join('').match(/"clear"|"[a-d]"/g)).toEqual(['"clear"', '"d"']);
  });

  it('is not that of every turn where less is asked for than any timer waits', async () => {
    const { store, until, scheduler } = await scene({ rate: 1e-9 });
    store.set('a', 1);
    until(1);
    expect(Math.max(...scheduler.actions.map(({ delay }) => delay))).toBeLessThan(2 ** 31 + 2);
    store.set('a', 2);
    expect(valuesOf(until(2 ** 30), 'a')).toEqual([]);
  });

  it('ends once for one whose last value cannot be read', async () => {
    const { store, until, state, feed, errors } = await scene({ rate: 1 });
    const bad = { n: 1 };
    await store.setAndSave('bad', bad);
    Object.assign(bad, { n: () => 1 }); // a change in place, which is not allowed
    feed.stop();
    until(1);
    expect(state.ended).toBe('cut');
    expect(errors).toMatchObject([{ code: 'INVALID_VALUE' }]);
    store.delete('bad');
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
