import { setTimeout as delay } from 'node:timers/promises';

import { persistify, type Change, type Provider, type Save, type Store } from 'rx-persistify';
import { expect } from 'vitest';

import { settled } from '../../support/controlled-provider.ts';
import type { Command, Plan, Step } from './model-commands.ts';
import { keys, ttlMs } from './model-commands.ts';
import { Model, Thrown, type Told } from './model.ts';
import { SteeredTime } from './steered-time.ts';

type Anything = Store<Record<string, unknown>>;

/** Before all clocks of storage, so that what has ended by the store's clock has by storage's. */
const start = 1_000_000_000_000;

/** Where plans are followed. */
export interface Storage {
  /** For one more program; `takeOver`: from one that is still there. */
  readonly provider: (takeOver: boolean) => Provider;
  readonly hasOneOwner: boolean;
}

/** A store and what it told. */
class Session {
  readonly store: Anything;
  readonly time: SteeredTime;
  readonly changes: Change[] = [];
  readonly saves: Save[] = [];
  /** What each `$` read said last, and all that it said. */
  readonly seen = new Map<string, unknown[]>();

  static async open(provider: Provider, ttl: Plan['ttl'], now: number): Promise<Session> {
    const time = new SteeredTime(now);
    const builder = persistify(provider).withScheduler(time).withRetry({ maxAttempts: 1 });
    const store = await (ttl === 'none' ? builder : builder.withTtl({ ms: ttlMs, mode: ttl })).open<Record<string, unknown>>('model');
    return new Session(store, time);
  }

  private constructor(store: Anything, time: SteeredTime) {
    this.store = store;
    this.time = time;
    store.changes$.subscribe((change) => this.changes.push(change));
    store.saves$.subscribe((save) => this.saves.push(save));
    store.errors$.subscribe(({ error }) => this.seen.set('errors', [...(this.seen.get('errors') ?? []), error.message]));
  }

  /** Subscribes to every `$` read, once. */
  watch(): void {
    if (this.seen.has('size')) return;
    const follow = (name: string, source$: { subscribe(next: (value: unknown) => void): unknown }): void => {
      const values: unknown[] = [];
      this.seen.set(name, values);
      source$.subscribe((value) => values.push(value));
    };
    follow('size', this.store.size$);
    follow('entries', this.store.entries$);
    follow('status', this.store.status$);
    for (const key of keys) {
      follow(`get ${key}`, this.store.get$(key));
      follow(`has ${key}`, this.store.has$(key));
    }
  }

  /** Leaves it as a process that ends does; what it has not saved it never will. */
  async dispose(): Promise<void> {
    await this.store.reload().catch(() => undefined);
    await this.store.close({ deadlineMs: 0 }).catch(() => undefined);
  }
}

/** Does what is planned with a store and with the model, and compares all that can be seen. */
export async function follow(storage: Storage, { ttl, commands }: Plan): Promise<void> {
  let now = start;
  const model = new Model(now, ttl);
  const cleared = await Session.open(storage.provider(true), ttl, now); // one that failed before may still be there
  await cleared.store.clearAndSave();
  await cleared.store.close();
  let session = await Session.open(storage.provider(false), ttl, now);
  try {
    for (const command of commands) {
      if (command.do === 'wait') now += command.ms;
      session = await perform(command, { session, model, storage, ttl, now });
      if ('step' in command && isUndone(command.step)) model.order(session.store.keys());
      await compare(session, model);
      model.remember();
    }
  } finally {
    await session.dispose();
  }
}

interface Scene {
  readonly session: Session;
  readonly model: Model;
  readonly storage: Storage;
  readonly ttl: Plan['ttl'];
  readonly now: number;
}

async function perform(command: Command, { session, model, storage, ttl, now }: Scene): Promise<Session> {
  const { store } = session;
  const flush = async (): Promise<void> => {
    expect(await store.flush()).toBe(true);
    model.saved();
  };
  switch (command.do) {
    case 'step':
      expect(answerOf(() => applied(store, command.step)), 'the answer').toEqual(answerOf(() => model.apply(command.step)));
      return session;
    case 'step and save':
      expect(await answerOfWaiting(() => appliedAndSaved(store, command.step)), 'the answer').toEqual(trueFor(command.step, answerOf(() => model.apply(command.step))));
      await flush();
      return session;
    case 'together':
      await Promise.all(command.steps.map((step) => (isDecidedByStorage(step) ? applied(store, step) : appliedAndSaved(store, step))));
      for (const step of command.steps) model.apply(step);
      await flush();
      return session;
    case 'get':
      expect(store.get(command.key)).toEqual(model.view.get(command.key)?.value);
      model.slide(command.key);
      return session;
    case 'touch':
      expect(store.touch(command.key)).toBe(model.view.has(command.key));
      model.slide(command.key);
      return session;
    case 'wait':
      session.time.advance(command.ms);
      model.wait(command.ms);
      for (let turn = 0; turn < 200 && session.changes.length < model.told.length; turn++) await delay(1); // it is told in slices
      expectToldInAnyOrder(session, model);
      await flush(); // by when the interval of a batch is over no more matters
      return session;
    case 'flush':
      await flush();
      return session;
    case 'watch':
      session.watch();
      return session;
    case 'reload':
      if (ttl === 'sliding') await flush(); // how far deadlines that slid are saved is storage's and time's
      await store.reload();
      model.reload();
      expectToldInAnyOrder(session, model);
      model.order(store.keys());
      return session;
    case 'reopen': {
      await store.close();
      model.saved();
      model.reopen();
      const reopened = await Session.open(storage.provider(false), ttl, now);
      expectSame(reopened, model);
      return reopened;
    }
    case 'crash': {
      if (ttl === 'sliding') await flush();
      const open = (): Promise<Session> => Session.open(storage.provider(true), ttl, now);
      // Where storage is shared, a batch that is stored as the next program opens would be news to that one.
      const successor = storage.hasOneOwner ? await open() : undefined;
      await session.dispose();
      model.savedAt(session.saves.at(-1)?.seq ?? 0);
      model.reopen();
      const other = successor ?? (await open());
      expectSame(other, model);
      return other;
    }
  }
}

function applied(store: Anything, step: Step): unknown {
  switch (step.call) {
    case 'set':
      store.set(step.key, step.value, optionsOf(step));
      return undefined;
    case 'add':
      return store.add(step.key, step.value, optionsOf(step));
    case 'delete':
      return store.delete(step.key);
    case 'clear':
      store.clear();
      return undefined;
    case 'update':
      return store.update(step.key, () => step.value);
    case 'transaction':
      return store.transaction(() => transact(store, step));
  }
}

function isDecidedByStorage({ call }: Step): boolean {
  return call === 'add' || call === 'update';
}

function appliedAndSaved(store: Anything, step: Step): Promise<unknown> {
  switch (step.call) {
    case 'set':
      return store.setAndSave(step.key, step.value, optionsOf(step));
    case 'add':
      return store.addAndSave(step.key, step.value, optionsOf(step));
    case 'delete':
      return store.deleteAndSave(step.key);
    case 'clear':
      return store.clearAndSave();
    case 'update':
      return store.updateAndSave(step.key, () => step.value);
    case 'transaction':
      return store.transactionAndSave(() => transact(store, step));
  }
}

function transact(store: Anything, { steps, isThrown }: Extract<Step, { call: 'transaction' }>): number {
  for (const step of steps) answerOf(() => applied(store, step));
  if (isThrown) throw new Thrown();
  return steps.length;
}

/** What was deleted and comes back stands at the end, as its place cannot be had back at a price that does not grow with the store. */
function isUndone(step: Step): boolean {
  return step.call === 'transaction' && (step.isThrown || step.steps.some(isUndone));
}

function optionsOf({ ttlMs: own }: { readonly ttlMs: number | undefined }): { ttlMs?: number } {
  return own === undefined ? {} : { ttlMs: own };
}

/** Those without a result of their own resolve to `true`. */
function trueFor(step: Step, answer: unknown): unknown {
  return step.call === 'set' || step.call === 'clear' ? true : answer;
}

function answerOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof Thrown) return 'thrown';
    throw error;
  }
}

async function answerOfWaiting(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Thrown) return 'thrown';
    throw error;
  }
}

/** Of what ends at a time, and of what a reading of storage finds, no order is promised; but each has its number. */
function expectToldInAnyOrder({ changes }: Session, model: Model): void {
  const withoutNumbers = (told: readonly Told[]): readonly unknown[] => told.map(({ seq, ...rest }) => JSON.stringify([rest, seq > 0])).sort();
  const [told, due] = [changes.splice(0).map(toldOf), model.take()];
  expect(withoutNumbers(told), 'what was told').toEqual(withoutNumbers(due));
  expect(told.map(({ seq }) => seq), 'the numbers of what was told').toEqual(due.map(({ seq }) => seq));
}

function expectSame(session: Session, model: Model): void {
  expect(new Map(session.store), 'what was opened').toEqual(new Map(model.entries));
  model.order(session.store.keys());
}

async function compare({ store, changes, saves, seen }: Session, model: Model): Promise<void> {
  expect(changes.splice(0).map(toldOf), 'the changes').toEqual(model.take());
  expect([...store], 'the entries').toEqual(model.entries);
  expect(store.size).toBe(model.view.size);
  for (const [key, { deadline }] of model.view) expect(store.expiresAt(key), `the deadline of ${key}`).toBe(deadline === Infinity ? undefined : deadline);
  for (const key of keys) expect(store.has(key)).toBe(model.view.has(key));
  expect(seen.get('errors') ?? [], 'what failed').toEqual([]);
  expect(saves.at(-1)?.seq ?? 0).toBeLessThanOrEqual(model.seq);
  if (!seen.has('size')) return;
  await settled(2);
  expect(seen.get('size')?.at(-1), 'size$').toBe(model.view.size);
  expect(new Map(seen.get('entries')?.at(-1) as Iterable<[string, unknown]>), 'entries$').toEqual(new Map(model.entries));
  expect(seen.get('status')?.at(-1), 'status$').toEqual(store.status);
  for (const key of keys) {
    expect(seen.get(`get ${key}`)?.at(-1), `get$(${key})`).toEqual(model.view.get(key)?.value);
    expect(seen.get(`has ${key}`)?.at(-1), `has$(${key})`).toBe(model.view.has(key));
    const has = seen.get(`has ${key}`) ?? [];
    expect(has.every((value, index) => value !== has[index - 1]), `has$(${key}) says nothing twice`).toBe(true);
  }
}

function toldOf(change: Change): Told {
  return {
    type: change.type,
    key: change.type === 'clear' ? undefined : change.key,
    value: change.type === 'set' ? change.value : undefined,
    previous: change.type === 'clear' ? new Map(change.previous) : change.previous, // in any order, as a savepoint may have been undone before
    seq: change.seq,
    origin: change.origin === 'local' ? 'local' : 'reload',
    isInTransaction: change.transaction !== undefined,
  };
}
