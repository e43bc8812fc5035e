import { setTimeout as delay } from 'node:timers/promises';

import fc from 'fast-check';
import { memory, persistify, type Batch, type BatchResult, type Change, type CommitFeed, type Feed, type Page, type Provider, type ProviderSession, type Store, type StoreOptions } from 'rx-persistify';
import { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { settled } from './support/controlled-provider.ts';

const KEYS = ['a', 'b', 'c'] as const;
type Numbers = Record<string, number>;

/** When what was stored. */
class Versions {
  /** By value. */
  readonly sets = new Map<number, number>();
  readonly deletions: { readonly key: string; readonly version: number }[] = [];
}

/** A store whose writes reach storage, are acknowledged, and whose feed tells, when the test says so. */
class Process {
  readonly changes: Change<string, number>[] = [];
  /** What was told though this process knew of something later. */
  readonly stale: Change<string, number>[] = [];
  readonly #versions: Versions;
  /** The version that this process knows each key at. */
  readonly #known = new Map<string, number>();
  readonly #provider: Provider;
  #store: Store<Numbers> | undefined;
  readonly #toStore: (() => void)[] = [];
  readonly #toAcknowledge: (() => void)[] = [];
  readonly #toTell: (() => void)[] = [];
  readonly #toAnswer: (() => void)[] = [];
  isFree = false;

  /** `isOwnTold`: its feed tells of its own commits what others' are told. */
  constructor(shared: Provider, versions: Versions, isOwnTold: boolean) {
    this.#versions = versions;
    this.#provider = {
      name: 'held',
      open: async (name, context) => {
        const session = await shared.open(name, context);
        return {
          ...session,
          capabilities: session.capabilities,
          load: () => this.#load(session),
          read: (keys) => this.#answered(() => session.read?.(keys) ?? Promise.resolve([])),
          write: (batch, writeContext) => this.#write(batch, () => session.write(batch, writeContext)),
          watch: (since) => this.#held(session.watch?.(since), isOwnTold ? undefined : context.writer),
          close: () => session.close(),
        };
      },
    };
  }

  get store(): Store<Numbers> {
    if (this.#store === undefined) throw new Error('not open');
    return this.#store;
  }

  async open(options: StoreOptions = {}): Promise<void> {
    this.#store = await persistify(this.#provider, options).withBatch({ size: 1 }).open<Numbers>('shared');
    this.#store.changes$.subscribe((change) => {
      this.changes.push(change);
      if (change.origin === 'remote') this.#learn(change);
    });
  }

  /** The batch under way reaches storage. */
  commit(): void {
    this.#toStore.shift()?.();
  }

  /** Its answer comes back. */
  acknowledge(): void {
    this.#toAcknowledge.shift()?.();
  }

  /** The feed tells one thing. */
  tell(): void {
    this.#toTell.shift()?.();
  }

  /** What was read of storage comes back. */
  answer(): void {
    this.#toAnswer.shift()?.();
  }

  /** From now on everything comes when it comes. */
  free(): void {
    this.isFree = true;
    for (const held of [this.#toStore, this.#toTell, this.#toAcknowledge, this.#toAnswer]) for (const go of held.splice(0)) go();
  }

  /** Of a deletion it is not told which one it was: the earliest that it can have been. */
  #learn(change: Change<string, number>): void {
    if (change.type === 'clear') return;
    const { key } = change;
    const known = this.#known.get(key) ?? 0;
    const { sets, deletions } = this.#versions;
    const version = change.type === 'set' ? sets.get(change.value) : deletions.find((deletion) => deletion.key === key && deletion.version > known)?.version;
    if (version === undefined || version <= known) this.stale.push(change);
    else this.#known.set(key, version);
  }

  async #write({ mutations }: Batch, write: () => Promise<BatchResult>): Promise<BatchResult> {
    await this.#turn(this.#toStore);
    const result = await write();
    await this.#turn(this.#toAcknowledge);
    const leftOut = new Set(result.leftOut.map(({ index }) => index));
    for (const mutation of mutations.filter((_, index) => !leftOut.has(index))) for (const written of mutation.type === 'clear' ? KEYS : [mutation.key]) this.#known.set(written, result.version);
    return result;
  }

  async *#load(session: ProviderSession): AsyncGenerator<Page> {
    if (this.#store === undefined) yield* session.load();
    else yield* await this.#answered(() => pagesOf(session));
  }

  /** What is read is as it was when it was asked for, however late it comes. */
  async #answered<T>(read: () => Promise<T>): Promise<T> {
    const answer = await read();
    await this.#turn(this.#toAnswer);
    return answer;
  }

  #turn(held: (() => void)[]): Promise<void> {
    return this.isFree ? Promise.resolve() : new Promise((resolve) => held.push(resolve));
  }

  #record({ cursor: { version }, cleared, entries, deleted }: CommitFeed): void {
    const { sets, deletions } = this.#versions;
    for (const entry of entries) sets.set(Number(entry.json), entry.version);
    const keys = cleared ? KEYS.filter((key) => entries.every((entry) => entry.key !== key)) : deleted;
    for (const key of keys) if (!deletions.some((deletion) => deletion.key === key && deletion.version === version)) deletions.push({ key, version });
  }

  /** `cursorOnly`: the writer of whose commits no more is told. */
  #held(feed$: Observable<Feed> | undefined, cursorOnly: string | undefined): Observable<Feed> {
    return new Observable((subscriber) => {
      subscriber.add(
        feed$?.subscribe((feed) => {
          if (feed.type === 'commit') this.#record(feed);
          const isShort = feed.type === 'commit' && feed.cursor.writer === cursorOnly;
          const told: Feed = isShort ? { ...feed, cleared: false, entries: [], deleted: [] } : feed;
          if (this.isFree) subscriber.next(told);
          else this.#toTell.push(() => subscriber.next(told));
        }),
      );
    });
  }
}

async function pagesOf(session: ProviderSession): Promise<readonly Page[]> {
  const pages: Page[] = [];
  for await (const page of session.load()) pages.push(page);
  return pages;
}

type Step =
  | { readonly type: 'set' | 'delete' | 'update'; readonly process: number; readonly key: string }
  | { readonly type: 'clear' | 'commit' | 'acknowledge' | 'tell' | 'answer' | 'reload' | 'transaction'; readonly process: number };

const PROCESSES = 3;
const process = fc.nat({ max: PROCESSES - 1 });
const key = fc.constantFrom(...KEYS);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('set' as const), process, key }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('delete' as const), process, key }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('clear' as const), process }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('transaction' as const), process }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('update' as const), process, key }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reload' as const), process }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('answer' as const), process }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('commit' as const), process }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('acknowledge' as const), process }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('tell' as const), process }) },
);

describe('several stores on one storage', () => {
  it('come to hold the same, whatever order commits, acknowledgements and news come in, and tell every step to it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), fc.boolean(), async (steps, isOwnTold) => {
        const shared = memory();
        const versions = new Versions();
        const processes = Array.from({ length: PROCESSES }, () => new Process(shared, versions, isOwnTold));
        for (const each of processes) await each.open();
        let value = 0;
        const waiting: Promise<unknown>[] = [];
        for (const { type, process: index, ...rest } of steps) {
          const each = processes[index];
          if (each === undefined) continue;
          const { store } = each;
          if (type === 'set' && 'key' in rest) store.set(rest.key, ++value);
          else if (type === 'delete' && 'key' in rest) store.delete(rest.key);
          else if (type === 'update' && 'key' in rest) waiting.push(store.updateAndSave(rest.key, () => ++value).catch(() => undefined));
          else if (type === 'reload') waiting.push(store.reload().catch(() => undefined));
          else if (type === 'clear') store.clear();
          else if (type === 'transaction') store.transaction(() => KEYS.forEach((each) => store.set(each, ++value)));
          else if (type === 'commit') each.commit();
          else if (type === 'acknowledge') each.acknowledge();
          else if (type === 'tell') each.tell();
          else if (type === 'answer') each.answer();
          await settled(1);
        }
        for (const each of processes) each.free();
        await Promise.all(waiting);
        for (const each of processes) await each.store.flush();
        await settled(5);
        const reader = await persistify(shared).open<Numbers>('shared');
        const stored = Object.fromEntries([...reader].sort());
        for (const { store, changes, stale } of processes) {
          expect(stale).toEqual([]);
          expect(Object.fromEntries([...store].sort())).toEqual(stored);
          expect(Object.fromEntries([...replayed(changes)].sort())).toEqual(stored);
        }
        for (const { store } of processes) await store.close();
        await reader.close();
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  it.each(['delete', 'clear'] as const)('do not show again what an own %s has removed, though the feed told of that before it was acknowledged', async (removal) => {
    const shared = memory();
    const [one, other] = [new Process(shared, new Versions(), false), new Process(shared, new Versions(), false)];
    await one.open();
    await other.open();
    other.isFree = true;
    await other.store.setAndSave('a', 1);
    one.tell();
    one.store[removal]('a');
    await settled(5);
    await other.store.setAndSave('a', 2);
    one.commit();
    await settled(5);
    one.tell();
    one.tell();
    one.acknowledge();
    await settled(5);
    expect(one.stale).toEqual([]);
    expect([...one.store]).toEqual([]);
    one.free();
    await one.store.close();
    await other.store.close();
  });

  it('tell what another commits after the own write of a key once that is told as saved, however much of a large batch is settled', async () => {
    const shared = memory();
    const [one, other] = [new Process(shared, new Versions(), false), new Process(shared, new Versions(), false)];
    await one.open();
    await other.open();
    other.isFree = true;
    one.store.transaction(() => {
      for (let index = 0; index < 5_000; index++) one.store.set(`key ${index}`, 1);
    });
    await settled(5);
    one.commit();
    await settled(5);
    one.tell(); // of its own
    const keys = ['key 0', 'key 4999'] as const;
    for (const key of keys) {
      await other.store.setAndSave(key, 2);
      one.tell();
    }
    const told: string[] = [];
    one.store.saves$.subscribe(() => told.push('saved'));
    one.store.changes$.subscribe(({ type, origin }) => told.push(`${type}, ${origin}`));
    one.acknowledge();
    await settled(2); // a part of five is settled, or two
    for (const key of keys) {
      await other.store.deleteAndSave(key);
      one.tell();
    }
    await one.store.flush();
    expect(told).toEqual(['saved', ...keys.map(() => 'delete, remote')]);
    expect(keys.map((key) => [key, one.store.has(key)])).toEqual(keys.map((key) => [key, false]));
    expect([one.store.size, one.store.unsaved]).toEqual([4_998, []]);
    one.free();
    await one.store.close();
    await other.store.close();
  });

  it('wait for the feed to tell that a key is absent, though a write that storage decides has seen it', async () => {
    const shared = memory();
    const versions = new Versions();
    const [one, other] = [new Process(shared, versions, false), new Process(shared, versions, false)];
    await one.open();
    await other.open();
    other.isFree = true;
    await other.store.setAndSave('a', 1);
    one.tell();
    const updating = one.store.updateAndSave('a', (value) => (value === undefined ? undefined : value + 1));
    await settled(5);
    await other.store.setAndSave('a', 2);
    await other.store.deleteAndSave('a');
    one.commit();
    await settled(5);
    one.acknowledge();
    await settled(5);
    one.answer();
    expect(await updating).toBeUndefined();
    one.tell();
    one.tell();
    expect([one.stale, [...one.store]]).toEqual([[], []]);
    one.free();
    await one.store.close();
    await other.store.close();
  });
});

describe('a commit of another', () => {
  it.each(['set', 'delete'] as const)('(%s) that storage has before a touch of this process, and is told while that is under way, is no echo of it', async (type) => {
    const shared = memory();
    const [one, other] = [new Process(shared, new Versions(), false), new Process(shared, new Versions(), false)];
    for (const each of [one, other]) await each.open({ ttl: { ms: 60_000, mode: 'sliding' } });
    other.isFree = true;
    await other.store.setAndSave('a', 1);
    one.tell();
    await delay(5);
    expect(one.store.touch('a')).toBe(true);
    const touched = one.store.flush();
    await settled(5);
    if (type === 'delete') await other.store.deleteAndSave('a');
    else await other.store.setAndSave('a', 2);
    one.commit();
    await settled(5);
    one.tell();
    one.acknowledge();
    await touched;
    expect([...one.store]).toEqual([...other.store]);
    one.free();
    await one.store.close();
    await other.store.close();
  });
});

/** What one who only hears of changes makes of them. */
function replayed(changes: readonly Change<string, number>[]): Map<string, number> {
  const map = new Map<string, number>();
  for (const change of changes) {
    if (change.type === 'clear') map.clear();
    else if (change.type === 'set') map.set(change.key, change.value);
    else map.delete(change.key);
  }
  return map;
}
