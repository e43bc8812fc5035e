import { setTimeout as delay } from 'node:timers/promises';

import { asyncScheduler, type SchedulerLike, type Subscription } from 'rxjs';
import { persistify } from 'rx-persistify';
import { expect } from 'vitest';

import type { Trial } from './matrix.ts';
import { Misbehaving } from './misbehaving.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

/** A clock that is wrong, while time passes as ever. */
class SkewedScheduler implements SchedulerLike {
  aheadMs: number;

  constructor(aheadMs: number) {
    this.aheadMs = aheadMs;
  }

  now(): number {
    return Date.now() + this.aheadMs;
  }

  schedule(...args: Parameters<SchedulerLike['schedule']>): Subscription {
    return asyncScheduler.schedule(...args);
  }
}

const hour = 3_600_000;

/** The clock is set by hours, both ways, while a store is used: nothing is lost, and nothing waits for the time that was. */
export function clockSet(storages: Storages): Trial {
  return async (cell) => {
    const tally = { 'times set': 0, acknowledged: 0 };
    const storage = storages.fresh(cell);
    const scheduler = new SkewedScheduler(0);
    const subject = await Subject.open({ provider: storage.provider(), random: cell.random, configure: (builder) => builder.withScheduler(scheduler) });
    for (; tally['times set'] < cell.times(20, 1_000); tally['times set']++) {
      const living = subject.live(40);
      await delay(cell.random.next() * 5);
      scheduler.aheadMs = cell.random.whole(-48 * hour, 48 * hour);
      await living;
    }
    await subject.close();
    expect(subject.failures).toEqual([]);
    tally.acknowledged = (await subject.expectKept(storage.provider(), { isWhole: true })).acknowledged;
    return tally;
  };
}

const ttlMs = 200;
const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);

/**
 * Our clock differs from storage's, and from that of others. An entry ends here when its time has passed by our clock; it is ended
 * in storage when it has by both; and nobody asks storage again and again meanwhile.
 */
export function clockDiffers(storages: Storages): Trial {
  return async (cell) => {
    const tally = { clocks: 0, entries: 0 };
    for (const aheadMs of [-hour, 60_000, 48 * hour, -60_000, hour, -48 * hour].slice(0, cell.times(3, 6))) {
      const storage = storages.fresh({ ...cell, directory: `${cell.directory}/${tally.clocks}` });
      const provider = new Misbehaving(storage.provider(), cell.random);
      const scheduler = new SkewedScheduler(aheadMs);
      const store = await persistify(provider).withBatch({ intervalMs: 5 }).withTtl({ ms: hour, mode: 'absolute' }).withScheduler(scheduler).open<Record<string, number>>('clocks');
      const failures: unknown[] = [];
      store.errors$.subscribe((failure) => failures.push(failure));
      for (const [index, key] of keys.entries()) store.set(key, index, { ttlMs: index % 2 === 0 ? ttlMs : Infinity });
      await store.flush();
      expect(store.size).toBe(keys.length);
      await delay(ttlMs + 20);
      expect([...store.keys()], `ahead by ${aheadMs}`).toEqual(keys.filter((_, index) => index % 2 === 1));
      await delay(300);
      expect([...store.keys()]).toEqual(keys.filter((_, index) => index % 2 === 1));
      expect(provider.writes).toBeLessThan(20);
      await store.close();
      expect(failures).toEqual([]);

      const other = await persistify(storage.provider()).open<Record<string, number>>('clocks');
      const left = aheadMs < 0 ? keys.filter((_, index) => index % 2 === 1) : keys;
      expect(new Map(other), `seen by another, of a clock ahead by ${aheadMs}`).toEqual(new Map(left.map((key) => [key, Number(key.slice(4))])));
      await other.close();
      tally.clocks++;
      tally.entries += keys.length;
    }
    return tally;
  };
}
