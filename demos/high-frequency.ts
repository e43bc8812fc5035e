// High frequency. There is to see: 10,000 metrics that change some hundred thousand times a second, kept in SQLite with an
// fsync a commit; and what batching saves against one write each, which is measured, too.
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';

import { persistify, type Store } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

type Metrics = Record<string, { readonly value: number; readonly at: number }>;

const metrics = 10_000;
const forMs = 2_000;
const number = (value: number): string => Math.round(value).toLocaleString('en');

await inTemporaryDirectory(async (directory) => {
  const stores = persistify(sqlite({ file: join(directory, 'metrics.sqlite') })).withBatch({ size: 2 * metrics, intervalMs: 250 });

  const alone = await stores.open<Metrics>('one write each');
  const oneWriteMs = await timeOneWrite(alone);
  await alone.close();

  const store = await stores.open<Metrics>('metrics');
  let [batches, written] = [0, 0];
  store.saves$.subscribe(({ count }) => {
    batches += 1;
    written += count;
  });
  const began = performance.now();
  const applied = await change(store);
  await store.flush();
  const tookMs = performance.now() - began;
  const last = new Map(store);
  await store.close();

  heading(`${number(metrics)} metrics, ${(tookMs / 1_000).toFixed(1)} s, SQLite with an fsync a commit:`);
  const row = (what: string, count: number, says: string): void => console.log(`  ${what.padEnd(20)}${number(count).padStart(10)}   ${says}`);
  row('changes applied', applied, `${number(applied / (tookMs / 1_000))} a second`);
  row('mutations written', written, `a key's newer value replaces its older one: ${(applied / written).toFixed(1)} changes a mutation`);
  row('batches (commits)', batches, `${number(applied / batches)} changes a commit`);
  const aloneMs = applied * oneWriteMs;
  console.log(`  One write each: ${oneWriteMs.toFixed(2)} ms, so ${number(aloneMs / 1_000)} s in all: ${number(aloneMs / tookMs)} times as long.`);
  check('a commit saves hundreds of changes', applied / batches >= 200, true);
  check('fewer mutations are written than are applied', written < applied, true);

  const reopened = await stores.open<Metrics>('metrics');
  check(`the last value of each of the ${number(metrics)} is in SQLite`, new Map(reopened), last);
  await reopened.close();
});

async function change(store: Store<Metrics>): Promise<number> {
  let applied = 0;
  for (const end = performance.now() + forMs; performance.now() < end; ) {
    for (let count = 0; count < 500; count++, applied++) store.set(`metric ${Math.floor(Math.random() * metrics)}`, { value: Math.random(), at: Date.now() });
    await setImmediate(); // as measurements arrive: a few at a time
  }
  return applied;
}

async function timeOneWrite(store: Store<Metrics>): Promise<number> {
  const began = performance.now();
  for (let count = 0; count < 200; count++) await store.setAndSave(`metric ${count}`, { value: Math.random(), at: Date.now() });
  return (performance.now() - began) / 200;
}
