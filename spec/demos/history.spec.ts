import { memory, persistify, SaveError } from 'rx-persistify';
import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { parseCommand } from '../../demos/telemetry/arguments.ts';
import { capacity, Measurements, sortSamples, type Current, type Slots } from '../../demos/telemetry/history.ts';
import { followSaving, type Saving, type SavingStreams } from '../../demos/telemetry/saving.ts';

async function openInMemory(provider = memory()): Promise<Measurements> {
  const stores = persistify(provider);
  return new Measurements(await stores.open<Current>('current'), await stores.open<Slots>('samples'));
}

async function close({ current, slots }: Measurements): Promise<void> {
  await Promise.all([current.close(), slots.close()]);
}

describe('the history', () => {
  it('holds the last samples and no more, in order', async () => {
    const measurements = await openInMemory();
    for (let at = 1; at <= capacity + 10; at++) measurements.add(at, { cpu: at });
    const samples = sortSamples(measurements.slots.values());
    expect(samples.map(({ sequence }) => sequence)).toEqual(Array.from({ length: capacity }, (_, index) => index + 11));
    expect(samples.at(-1)).toEqual({ sequence: capacity + 10, at: capacity + 10, values: { cpu: capacity + 10 } });
    expect(measurements.current.get('cpu')).toEqual({ value: capacity + 10, at: capacity + 10 });
    await close(measurements);
  });

  it('goes on where the run before ended', async () => {
    const provider = memory();
    const before = await openInMemory(provider);
    expect(before.kept).toBeUndefined();
    for (const at of [100, 200, 300]) before.add(at, { cpu: at, 'load.1': 1 });
    await close(before);

    const after = await openInMemory(provider);
    expect(after.kept).toEqual({ metrics: 2, samples: 3, from: 100, to: 300 });
    after.add(900, { cpu: 9, 'load.1': 1 });
    expect(sortSamples(after.slots.values()).map(({ sequence, at }) => [sequence, at])).toEqual([[1, 100], [2, 200], [3, 300], [4, 900]]);
    await close(after);
  });

  it('changes all current values at once', async () => {
    const measurements = await openInMemory();
    const transactions = new Set<number | undefined>();
    measurements.current.changes$.subscribe(({ transaction }) => transactions.add(transaction));
    measurements.add(1, { cpu: 1, 'load.1': 2, 'loop.max': 3 });
    expect(transactions.size).toBe(1);
    expect(transactions.has(undefined)).toBe(false);
    await close(measurements);
  });
});

type Told<S extends keyof SavingStreams> = SavingStreams[S] extends { subscribe: (next: (value: infer V) => void) => unknown } ? V : never;

describe('how saving goes', () => {
  const createStreams = () => ({ saves$: new Subject<Told<'saves$'>>(), errors$: new Subject<Told<'errors$'>>(), status$: new Subject<Told<'status$'>>() });
  const save = (count: number): Told<'saves$'> => ({ seq: 1, keys: [], count, bytes: 0, attempts: 1, durationMs: 1 });
  const status = (state: Told<'status$'>['state'], pending: number): Told<'status$'> => ({ state, pending, fullness: 0, lastSavedAt: undefined });

  function follow() {
    const [one, other] = [createStreams(), createStreams()];
    const clock = { now: 0 };
    const told: Saving[] = [];
    followSaving([one, other], () => clock.now).subscribe((saving) => told.push(saving));
    one.status$.next(status('idle', 0));
    other.status$.next(status('idle', 0));
    return { one, other, clock, latest: () => told.at(-1) };
  }

  it('counts the batches of all stores', () => {
    const { one, other, latest } = follow();
    one.saves$.next(save(10));
    other.saves$.next(save(2));
    expect(latest()).toMatchObject({ batches: 2, saved: 12 });
  });

  it('adds up what is pending, and shows the most urgent state', () => {
    const { one, other, latest } = follow();
    one.status$.next(status('pending', 4));
    other.status$.next(status('failing', 3));
    expect(latest()).toMatchObject({ state: 'failing', pending: 7 });
  });

  it('tells the rate of the last five seconds', () => {
    const { one, clock, latest } = follow();
    for (clock.now = 1_000; clock.now <= 10_000; clock.now += 1_000) one.saves$.next(save(20));
    expect(latest()?.savedPerSecond).toBe(20);
    clock.now = 60_000;
    one.status$.next(status('failing', 1));
    expect(latest()?.savedPerSecond).toBe(0);
  });

  it('tells the last error, until the store that had it saves again', () => {
    const { one, other, latest } = follow();
    const error = new SaveError('The disk is full.', { outcome: 'pending', keys: [] });
    one.errors$.next({ operation: 'save', error, attempt: 2, maxAttempts: 5, willRetry: true, delayMs: 100, fatal: false, keys: [] });
    other.saves$.next(save(1));
    expect(latest()?.error).toBe('The disk is full. (attempt 2 of 5, to be tried again)');
    one.saves$.next(save(1));
    expect(latest()?.error).toBeUndefined();
  });
});

describe('the command line', () => {
  it('has defaults', () => {
    expect(parseCommand([])).toEqual({ type: 'run', storage: { provider: 'sqlite', directory: 'data' }, port: 0, seconds: undefined });
  });

  it('takes everything', () => {
    expect(parseCommand(['--seconds', '2.5', '--provider=json-file', '--data', '/tmp/x', '--port', '8080'])).toEqual({ type: 'run', storage: { provider: 'json-file', directory: '/tmp/x' }, port: 8_080, seconds: 2.5 });
    const url = 'postgres://ann@localhost:5432/telemetry';
    expect(parseCommand(['--postgres', url])).toEqual({ type: 'run', storage: { provider: 'postgres', url }, port: 0, seconds: undefined });
    expect(parseCommand(['-h'])).toEqual({ type: 'help' });
  });

  it.each([
    [['--seconds', '0']], [['--seconds', '']], [['--seconds', '-1']], [['--seconds=-1']], [['--seconds', 'NaN']], [['--seconds', '1e9']], [['--seconds']],
    [['--provider', 'redis']], [['--provider', 'postgres']], [['--data', '']], [['--bogus']], [['stray']],
    [['--port', '']], [['--port', '-1']], [['--port=-1']], [['--port', '65536']], [['--port', '1.5']], [['--port', 'http']],
    [['--postgres']], [['--postgres', '']], [['--postgres', 'mysql://localhost/x']], [['--postgres', 'localhost']],
    [['--postgres', 'postgres://localhost/x', '--provider', 'sqlite']], [['--postgres', 'postgres://localhost/x', '--data', 'x']],
  ])('refuses %j', (args) => {
    const command = parseCommand(args);
    expect(command.type).toBe('mistake');
    expect(command.type === 'mistake' && command.message).toMatch(/^[^\n]{10,90}$/);
  });

  it('does not repeat a password', () => {
    const command = parseCommand(['--postgres', 'postgress://ann:secret@localhost/x']);
    expect(command.type).toBe('mistake');
    expect(JSON.stringify(command)).not.toContain('secret');
  });
});
