import { setTimeout as delay } from 'node:timers/promises';

import { EMPTY, of, throwError } from 'rxjs';
import { persistify, PersistifyError, SaveError, type Feed, type Provider, type ProviderSession } from 'rx-persistify';
import { expect } from 'vitest';

import { storeName } from '../../crash/storage.ts';
import { oneOf } from './damage.ts';
import type { Cell, Trial } from './matrix.ts';
import { changed, Misbehaving, type Misdeed } from './misbehaving.ts';
import { openingOf } from './opening.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

const never = (): Promise<never> => new Promise(() => undefined);

/** What throws need not be an error. */
const thrown: readonly unknown[] = [new Error('a bug'), new TypeError('x is not a function'), 'text', undefined, null, 42];

const throwing = ({ random }: Cell): Misdeed => (real) => {
  if (random.chance(0.5)) void real().catch(() => undefined); // and may be stored all the same
  throw oneOf(thrown, random);
};

/** Answers that are none. */
const answers: readonly ((count: number) => unknown)[] = [
  () => undefined,
  () => null,
  () => 'saved',
  () => ({}),
  () => ({ version: '1', leftOut: [] }),
  () => ({ version: NaN, leftOut: [] }),
  () => ({ version: 1.5, leftOut: [] }),
  () => ({ version: -1, leftOut: [] }),
  () => ({ version: 1 }),
  () => ({ version: 1, leftOut: 'none' }),
  () => ({ version: 1, leftOut: [undefined] }),
  () => ({ version: 1, leftOut: [{ index: -1, reason: 'refused', message: '' }] }),
  () => ({ version: 1, leftOut: [{ index: 0, reason: 'nonsense', message: '' }] }),
  () => ({ version: 1, leftOut: [{ index: 0 }] }),
  (count) => ({ version: 1, leftOut: [{ index: count, reason: 'refused', message: '' }] }),
];

const nonsense = ({ random }: Cell): Misdeed => async (real, { mutations }) => {
  if (random.chance(0.5)) await real();
  return oneOf(answers, random)(mutations.length);
};

/** A store on a provider that breaks the contract now and then: it says so, loses nothing, and goes on once that behaves again. */
function misbehaved(storages: Storages, misdeedOf: (cell: Cell) => Misdeed): Trial {
  return async (cell) => {
    const tally = { misdeeds: 0, acknowledged: 0 };
    for (let round = 0; round < cell.times(3, 100); round++) {
      const storage = storages.fresh({ ...cell, directory: `${cell.directory}/${round}` });
      const provider = new Misbehaving(storage.provider(), cell.random);
      const subject = await Subject.open({ provider, random: cell.random });
      provider.misdeed = misdeedOf(cell);
      await subject.live(200);
      provider.misdeed = undefined;
      if (subject.store.status.state === 'saving') await subject.flush(); // what is under way may still misbehave
      expect(await subject.flush()).toBe(true);
      const failures = subject.failures.filter(({ operation }) => operation === 'save');
      expect(failures.length, 'each is told').toBeGreaterThanOrEqual(provider.misdeeds);
      for (const failure of failures) expect(failure).toMatchObject({ fatal: true, willRetry: false, error: expect.any(PersistifyError) as unknown });
      await subject.close();
      tally.acknowledged += (await subject.expectKept(storage.provider(), { isWhole: true })).acknowledged;
      tally.misdeeds += provider.misdeeds;
    }
    expect(tally.misdeeds).toBeGreaterThan(0);
    return tally;
  };
}

export const throwsAtOnce = (storages: Storages): Trial => misbehaved(storages, throwing);

export const answersNonsense = (storages: Storages): Trial => misbehaved(storages, nonsense);

/** Versions that stand still or go back are no reason to lose anything, or to try for ever. */
export function versionsGoBack(storages: Storages): Trial {
  return async (cell) => {
    const tally = { misdeeds: 0, acknowledged: 0 };
    for (let round = 0; round < cell.times(3, 100); round++) {
      const storage = storages.fresh({ ...cell, directory: `${cell.directory}/${round}` });
      const provider = new Misbehaving(storage.provider(), cell.random, 0.5);
      const subject = await Subject.open({ provider, random: cell.random });
      provider.misdeed = async (real) => {
        const result = await real();
        return { ...(result as object), version: cell.random.whole(0, 3) };
      };
      await subject.live(200);
      expect(await subject.flush()).toBe(true);
      await subject.close();
      expect(subject.failures).toEqual([]);
      tally.acknowledged += (await subject.expectKept(storage.provider(), { isWhole: true })).acknowledged;
      tally.misdeeds += provider.misdeeds;
    }
    return tally;
  };
}

/** A write that never settles, stored or not: the close ends at its deadline, and says what it does not know. */
export function neverSettles(storages: Storages): Trial {
  return async (cell) => {
    const tally = { rounds: 0, acknowledged: 0 };
    for (; tally.rounds < cell.times(2, 200); tally.rounds++) {
      const storage = storages.fresh({ ...cell, directory: `${cell.directory}/${tally.rounds}` });
      const provider = new Misbehaving(storage.provider(), cell.random, 1);
      const subject = await Subject.open({ provider, random: cell.random });
      await subject.live(cell.random.whole(1, 100));
      let isStuck = false;
      provider.misdeed = async (real) => {
        isStuck = true;
        if (cell.random.chance(0.5)) await real().catch(() => undefined); // which the close may have called off
        return never();
      };
      const living = subject.live(50).catch(() => undefined); // it goes on with a store that is closed
      await expect.poll(() => isStuck).toBe(true);
      await delay(cell.random.next() * 20);
      subject.set('behind it');
      expect(subject.store.status.state).toBe('saving');
      const closing: unknown = await subject.store.close({ deadlineMs: 20 }).catch((error: unknown) => error);
      expect(closing).toBeInstanceOf(SaveError);
      expect(closing).toMatchObject({ outcome: 'unknown', keys: expect.arrayContaining(['behind it']) as unknown });
      await living;
      tally.acknowledged += (await subject.expectKept(storage.provider())).acknowledged;
    }
    return tally;
  };
}

/** What a session, or the opening of one, may be other than one. */
const sessions: Readonly<Record<string, (real: ProviderSession) => unknown>> = {
  'no session': () => undefined,
  'null for one': () => null,
  'no capabilities': (real) => ({ ...changed(real, {}), capabilities: undefined }),
  'a load that throws': (real) => changed(real, { load: () => { throw new Error('a bug'); } }),
  'a load that answers nothing': (real) => changed(real, { load: () => undefined as never }),
  'pages that are none': (real) => changed(real, { load: async function* () { yield await Promise.resolve(undefined as never); } }),
  'pages without entries': (real) => changed(real, { load: async function* () { yield await Promise.resolve({ version: 1 } as never); } }),
  'entries that are none': (real) => changed(real, { load: async function* () { yield await Promise.resolve({ version: 1, entries: [undefined] } as never); } }),
};

/** Feeds that are none. What they say is nothing, so nothing changes by them. */
const feeds: Readonly<Record<string, ProviderSession['watch']>> = {
  'a feed that throws': () => { throw new Error('a bug'); },
  'a feed that fails': () => throwError(() => new Error('a bug')),
  'a feed that ends': () => EMPTY,
  'a feed of nothing': () => of<Feed>(undefined as never),
  'a feed of half a commit': () => of<Feed>({ type: 'commit' } as never),
};

/** An opening that yields no session is refused as one that cannot be read; a feed that is none is told, and costs nothing. */
export function noSession(storages: Storages): Trial {
  return async (cell) => {
    const storage = storages.fresh(cell);
    const subject = await Subject.open({ provider: storage.provider(), random: cell.random });
    await subject.live(100);
    await subject.close();
    let refused = 0;
    for (const [what, session] of Object.entries(sessions)) {
      const opening = await openingOf(providing(storage.provider(), session));
      expect(opening.isRefused, what).toBe(true);
      refused++;
      // What it had opened in vain, nobody else can close.
      expect((await subject.expectKept(storage.provider(), { isWhole: true })).acknowledged, what).toBeGreaterThan(0);
    }
    let told = 0;
    for (const [what, watch] of Object.entries(feeds)) {
      const provider = providing(storage.provider(), (real) => changed(real, { capabilities: { ...real.capabilities, shared: true }, ...(watch !== undefined && { watch }) }));
      const store = await persistify(provider).withRetry({ delayMs: 5, maxDelayMs: 20 }).open(storeName);
      const errors: unknown[] = [];
      store.errors$.subscribe(({ operation, error }) => errors.push([operation, error]));
      expect(await store.setAndSave('a key', what), what).toBe(true);
      await delay(100);
      expect(errors.length, what).toBeLessThan(100);
      if (errors.length > 0) told++;
      expect(await store.setAndSave('a key', 'last'), what).toBe(true);
      expect(await store.deleteAndSave('a key')).toBe(true);
      await store.close();
    }
    expect(told).toBe(Object.keys(feeds).length - 1); // that it ends is no failure
    await subject.expectKept(storage.provider(), { isWhole: true });
    return { tried: refused + told + 1, refused, told };
  };
}

function providing(real: Provider, session: (real: ProviderSession) => unknown): Provider {
  return {
    name: 'misbehaving',
    open: async (name, context) => {
      const opened = await real.open(name, context);
      const given = session(opened);
      if (given === undefined || given === null) await opened.close();
      return given as ProviderSession; // which it may well not be
    },
  };
}
