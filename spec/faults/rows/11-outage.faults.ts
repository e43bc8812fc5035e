import { persistify, SaveError, type Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { expect } from 'vitest';

import { heapInUse } from '../cells/heap.ts';
import { fault, inColumns, row, type Cell, type Trial } from '../cells/matrix.ts';
import { Outage, outageRow, type OutagePlan, type Sample } from '../cells/outage.ts';
import { Storages } from '../cells/storages.ts';
import { columns, type Tally } from '../form.ts';

const storages = new Storages();

/** As the options have them by default. */
const [intervalMs, probeMs] = [100, 10_000];
const minuteMs = 60_000;

row(...outageRow, () => {
  for (const [absence, how] of [['retry', 'attempts fail, and may be made again'], ['halt', 'attempts fail, and none can help'], ['silent', 'no attempt is answered']] as const) {
    fault(how, inColumns(columns, whileWritten((cell) => ({ absence, keys: keysOf(cell), writesPerSecond: cell.times(200, keysOf(cell) / 2) }))));
    if (absence === 'silent') continue; // nothing comes of an attempt that ends not
    fault(`${how}; within limits`, inColumns(columns, whileWritten((cell) => {
      const keys = cell.times(4_000, keysOf(cell)); // a quarter may be unsaved, which is to be more of the heap than what comes and goes
      return { absence, keys, writesPerSecond: cell.times(100, keys / 2), limits: { pendingKeys: keys / 4, pendingBytes: keys * 12 } };
    })));
  }
});

/** Until the sink is back nothing comes to a provider: the others differ only in what comes then, and take a fifth of the hours. */
function keysOf(cell: Cell): number {
  return cell.times(1_000, cell.column === 'memory' ? 100_000 : 20_000);
}

/** Ten minutes of it, and what comes after. */
function whileWritten(planOf: (cell: Cell) => OutagePlan): Trial {
  return async (cell): Promise<Tally> => {
    const plan = planOf(cell);
    const { provider } = storages.fresh(cell);
    const outage = await Outage.begin(provider(), cell.random, plan);
    const { store, sink, clock, told } = outage;
    await outage.write(20_000);
    await clock.advanceUntil(() => store.status.state === 'idle', 100, 20_000);
    expect(told.failures, 'failures before').toBe(0);
    const heapBefore = await heapInUse();
    const writesBefore = outage.writes;

    const waiting: Promise<unknown>[] = [];
    const heap = await outage.last((minute) => {
      if (minute === 1) waiting.push(...Array.from({ length: 10 }, (_, index) => outage.writeAndWait(`waiting ${index}`)));
    });
    const [first = 0] = heap;
    const bytesByKey = (Math.max(...heap) - heapBefore) / (plan.limits === undefined ? plan.keys : plan.keys / 4);
    expect(Math.max(...heap) - first, 'growth of the heap from the first minute on, in bytes').toBeLessThan(1_000_000);
    expect(bytesByKey, 'bytes of the heap for each key that may be unsaved').toBeLessThan(1_500);
    expectPace(outage, plan);
    await expectWaiting(outage, plan, waiting);

    if (plan.limits === undefined) {
      await outage.comeBack(1);
      expect(await storedIn(cell, provider), 'the first batch leaves storage as the store was at one moment').toEqual(outage.moments.get(Math.min(...outage.moments.keys())));
    }
    await outage.comeBack(Infinity);
    for (const outcome of await Promise.all(waiting)) expect(plan.limits !== undefined || plan.absence === 'silent' ? outcome === true : outcome instanceof SaveError).toBe(true);
    await clock.advanceUntil(() => store.status.state === 'idle', 100, 20_000);
    outage.expectSaved();
    await store.close();
    expect(await storedIn(cell, provider)).toEqual(outage.model);
    return { writes: outage.writes - writesBefore, refused: outage.refused, attempts: sink.attemptedAt.length, 'bytes for a key': Math.round(bytesByKey), told: told.failures };
  };
}

/** Attempts are made all the time, but no more often than a batch would close, and by the slow probe alone when all is pending. */
function expectPace({ sink: { attemptedAt }, told, clock }: Outage, { absence }: OutagePlan): void {
  const beganAt = clock.now - 10 * minuteMs;
  const within = (from: number, to: number): readonly number[] => attemptedAt.filter((at) => at >= beganAt + from * minuteMs && at < beganAt + to * minuteMs);
  if (absence === 'silent') {
    expect(attemptedAt).toHaveLength(1);
    expect(told).toEqual({ failures: 0, fatal: 0, retried: 0 });
    return;
  }
  expect(within(0, 1).length, 'attempts in the first minute').toBeLessThanOrEqual(minuteMs / intervalMs);
  const probes = within(3, 10);
  expect(probes.length, 'attempts in the last seven minutes').toBeGreaterThan((7 * minuteMs) / probeMs - 5);
  for (const [index, at] of probes.entries()) if (index > 0) expect(at - (probes[index - 1] ?? 0), 'milliseconds between two probes').toBeGreaterThanOrEqual(probeMs);
  expect(told.failures, 'what was told').toBe(attemptedAt.length);
  expect(told.fatal + told.retried).toBe(told.failures);
  if (absence === 'halt') expect(told.retried).toBe(0);
}

/** Who waits is told so in time where he was applied; where there is no room, he waits on. */
async function expectWaiting({ store }: Outage, { absence, limits }: OutagePlan, waiting: readonly Promise<unknown>[]): Promise<void> {
  const pending = Symbol('pending');
  const outcomes = await Promise.all(waiting.map((one) => Promise.race([one, Promise.resolve(pending)])));
  const isApplied = limits === undefined;
  for (const [index, outcome] of outcomes.entries()) {
    expect(store.has(`waiting ${index}`), 'whether it is applied').toBe(isApplied);
    if (isApplied && absence !== 'silent') expect(outcome).toMatchObject({ code: 'SAVE_FAILED', outcome: 'pending', keys: [`waiting ${index}`] });
    else expect(outcome).toBe(pending);
  }
}

/** What another program reads: the number of the write of each key. */
async function storedIn({ column, directory }: Cell, provider: () => Provider): Promise<ReadonlyMap<string, number>> {
  const other = column === 'json-file' ? jsonFile({ directory, readOnly: true }) : provider();
  const store = await persistify(other).open<Record<string, Sample>>('samples');
  const found = new Map([...store].map(([key, { count }]) => [key, count]));
  await store.close();
  return found;
}
