import { SaveError, StoreClosedError, type Store } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { finished, heard, releases, Scene, sinks, states, streamsOf, type Numbers, type Release } from './closing-scene.ts';
import { settled } from '../support/controlled-provider.ts';
import { useVirtualTime } from '../support/virtual-time.ts';

/** How the store is closed. */
const manners = ['once', 'twice', 'concurrently', 'with a deadline that passes', 'with a deadline of 0 ms', 'with an aborted signal before', 'with a signal that aborts'] as const;
type Manner = (typeof manners)[number];

/** How much longer than its deadline a close may take: a second for a write that was cut off, and one for the provider to let go. */
const graceMs = 2_000;
const deadlines: Readonly<Partial<Record<Manner, number>>> = { 'with a deadline that passes': 500, 'with a deadline of 0 ms': 0 };
const defaultDeadlineMs = 30_000;

/** Who waits for something when the store is closed. */
const waiters = ['nobody', 'somebody'] as const;

/** Resolves to the errors with which the calls were rejected. */
async function close(store: Store<Numbers>, manner: Manner): Promise<readonly unknown[]> {
  if (manner === 'with an aborted signal before') {
    const outcome: unknown = await store.close({ signal: AbortSignal.abort() }).catch((error: unknown) => error);
    expect(outcome).toMatchObject({ name: 'AbortError' });
    store.update('a', () => undefined); // changes nothing, but would throw
  }
  const deadlineMs = deadlines[manner];
  const closing = store.close(deadlineMs === undefined ? {} : { deadlineMs });
  expect(() => store.set('a', 9)).toThrow(StoreClosedError);
  if (manner === 'concurrently') return errorsOf([closing, store.close({ deadlineMs: 0 }), store[Symbol.asyncDispose]()]);
  if (manner === 'twice') return [...(await errorsOf([closing])), ...(await errorsOf([store.close(), store.close({ deadlineMs: 0 })]))];
  if (manner === 'with a signal that aborts') {
    const controller = new AbortController();
    const waiting = store.close({ signal: controller.signal }).catch((error: unknown) => error);
    controller.abort();
    expect(await waiting).toMatchObject({ name: 'AbortError' });
  }
  return errorsOf([closing]);
}

async function errorsOf(closings: readonly PromiseLike<void>[]): Promise<readonly unknown[]> {
  const outcomes = await Promise.allSettled(closings);
  expect(new Set(outcomes.map(({ status }) => status)).size).toBe(1);
  return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
}

beforeEach(() => {
  useVirtualTime();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});

afterEach(() => {
  vi.useRealTimers();
});

describe('close', () => {
  const cases = states.flatMap((state) => waiters.flatMap((waiter) => manners.flatMap((manner) => sinks.flatMap((sink) => releases.map((release) => ({ state, waiter, manner, sink, release }))))));

  it.each(cases)('while $state and $waiter waits, $manner, where storage $sink and the provider $release: everything ends', async ({ state, waiter, manner, sink, release }) => {
    const scene = new Scene(release);
    const store = await scene.open();
    await scene.arrange(state, store);
    if (waiter === 'somebody') for (const waiting of [store.setAndSave('waited', 2), store.flush()]) scene.wait(waiting);
    const began = Date.now();
    scene.sink = sink;
    const errors = await finished('close', close(store, manner));
    expect(Date.now() - began).toBeLessThanOrEqual((deadlines[manner] ?? defaultDeadlineMs) + graceMs);

    // What it says is what is.
    const { unsaved } = store;
    if (errors.length === 0) expect([unsaved, release]).toEqual([[], 'releases']);
    for (const error of errors) {
      if (unsaved.length > 0) expect(error).toMatchObject({ code: 'SAVE_FAILED', keys: unsaved });
      else expect(release).not.toBe('releases');
    }
    expect([store.status.state, store.status.pending > 0]).toEqual(['closed', unsaved.length > 0]);
    expect(scene.provider.closes).toBe(release === 'releases' ? 1 : 0);

    // Nobody is left waiting, and nobody listening.
    const waits = await finished('what waits', Promise.allSettled(scene.waits));
    for (const outcome of waits) if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(SaveError);
    if (unsaved.includes('waited')) expect(waits.at(-2)?.status).toBe('rejected');
    if (sink === 'works' && deadlines[manner] !== 0) await finished('a reload', Promise.all(scene.reloads));
    else await finished('a reload', Promise.allSettled(scene.reloads));
    expect(scene.completed.toSorted()).toEqual(Object.keys(streamsOf(store)).toSorted());
    expect(vi.getTimerCount()).toBe(0);

    // What is left answers from memory.
    const entries = [...store];
    const value = new Map(entries).get('a');
    expect([store.get('a'), store.has('a'), store.size, store.get('waited')]).toEqual([value, value !== undefined, entries.length, waiter === 'somebody' ? 2 : undefined]);
    expect(heard(store)).toEqual({
      changes$: ['complete'],
      saves$: ['complete'],
      errors$: ['complete'],
      status$: [store.status, 'complete'],
      size$: [entries.length, 'complete'],
      entries$: [entries, 'complete'],
      get$: [value, 'complete'],
      absent$: [undefined, 'complete'],
      has$: [value !== undefined, 'complete'],
    });
    for (const write of [() => store.set('b', 1), () => store.delete('a'), () => store.clear(), () => store.add('b', 1), () => store.update('b', () => 1), () => store.transaction(() => 1)]) {
      expect(write).toThrow(StoreClosedError);
    }
    for (const waiting of [store.setAndSave('b', 1), store.clearAndSave(), store.reload()]) await expect(waiting).rejects.toThrow(StoreClosedError);

    // Another store can have its name, and finds what was saved.
    scene.sink = 'works';
    const again = await scene.stores.open<Numbers>('a');
    expect(again).not.toBe(store);
    if (unsaved.length === 0) expect(Object.fromEntries(again)).toEqual(Object.fromEntries(entries));
    await finished('the other store', again.close().catch(() => undefined));
  });
});

describe('close with limits', () => {
  const full = states.filter((state) => state !== 'idle' && state !== 'reloading');
  const cases = full.flatMap((state) => manners.flatMap((manner) => sinks.map((sink) => ({ state, manner, sink }))));

  it.each(cases)('while $state, $manner, where storage $sink: who waits for room gets a StoreClosedError', async ({ state, manner, sink }) => {
    const scene = new Scene('releases', { pendingKeys: 1 });
    const store = await scene.open();
    await scene.arrange(state, store);
    scene.sink = 'held';
    const waits = [store.setAndSave('b', 1), store.addAndSave('c', 1), store.updateAndSave('d', () => 1)];
    for (const waiting of waits) scene.wait(waiting);
    await settled();
    scene.sink = sink;
    await finished('close', close(store, manner));
    for (const outcome of await finished('what waits', Promise.allSettled(waits))) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'STORE_CLOSED' } });
    expect([store.has('b'), store.has('c'), store.has('d'), vi.getTimerCount()]).toEqual([false, false, false, 0]);
  });
});

describe('an open that is not done', () => {
  /** Storage that takes its time to load, until it is told how that goes on. */
  const opening = (release: Release, signal?: AbortSignal): { readonly scene: Scene; readonly open: Promise<unknown> } => {
    const scene = new Scene(release);
    scene.isLoadMet = true;
    scene.sink = 'held';
    const open = scene.stores.open<Numbers>('a', signal === undefined ? {} : { signal }).catch((error: unknown) => error);
    return { scene, open };
  };

  it.each(releases)('and is given up is closed when it is loaded, and can be opened anew, where the provider %s', async (release) => {
    const controller = new AbortController();
    const { scene, open } = opening(release, controller.signal);
    await settled();
    controller.abort();
    expect(await open).toMatchObject({ name: 'AbortError' });
    scene.sink = 'works';
    await settled(20);
    await vi.advanceTimersByTimeAsync(defaultDeadlineMs + graceMs);
    expect([scene.provider.closes, vi.getTimerCount()]).toEqual([release === 'releases' ? 1 : 0, 0]);
    const store = await scene.stores.open<Numbers>('a');
    store.set('a', 1);
    expect(store.status.state).toBe('pending');
    await finished('close', store.close().catch(() => undefined));
  });

  it.each(['releases', 'rejects'] as const)('and cannot be loaded rejects with why, where the provider %s', async (release) => {
    const { scene, open } = opening(release);
    await settled();
    scene.sink = 'fails for good';
    expect(await finished('open', open)).toMatchObject({ code: 'LOAD_FAILED' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('and cannot be loaded, and rejects with why, where the provider throws when it is closed', async () => {
    const { scene, open } = opening('throws');
    await settled();
    scene.sink = 'fails for good';
    expect(await finished('open', open)).toMatchObject({ code: 'LOAD_FAILED' });
  });

  it('and cannot be loaded, and rejects, where the closing of the provider never settles', async () => {
    const { scene, open } = opening('never settles');
    await settled();
    scene.sink = 'fails for good';
    expect(await finished('open', open)).toMatchObject({ code: 'LOAD_FAILED' });
  });

  it('and was given up by one who asked, and is asked for by another before it is loaded: he gets an open store', async () => {
    const controller = new AbortController();
    const { scene, open } = opening('releases', controller.signal);
    await settled();
    controller.abort();
    await open;
    const other = scene.stores.open<Numbers>('a');
    scene.sink = 'works';
    const store = await finished('open', other);
    store.set('a', 1);
    await store.close();
  });
});

describe('a reload under way', () => {
  it.each(['hangs', 'hangs until aborted'] as const)('that hangs (storage %s) rejects when the store closes, also where nothing is unsaved', async (sink) => {
    const scene = new Scene('releases');
    const store = await scene.open();
    await scene.arrange('reloading', store);
    scene.sink = sink;
    await finished('close', store.close({ deadlineMs: 100 }));
    await finished('the reload', Promise.allSettled(scene.reloads));
  });

  it('that is cut off by a close rejects with an error of ours, which has a code', async () => {
    const scene = new Scene('releases');
    const store = await scene.open();
    await scene.arrange('reloading with something pending', store);
    scene.sink = 'hangs';
    await finished('close', store.close({ deadlineMs: 100 }).catch(() => undefined));
    await expect(scene.reloads[0]).rejects.toHaveProperty('code');
  });
});
