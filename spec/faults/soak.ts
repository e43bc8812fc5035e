// node --expose-gc --jitless build/spec/faults/soak.js PROVIDER PLACE ROUNDS MILLISECONDS: uses stores for so many rounds, and at least so long
import { getEventListeners } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

import { memory, persistify, ProviderError, SaveError, type Provider } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { postgres } from 'rx-persistify/postgres';
import { sqlite } from 'rx-persistify/sqlite';

import type { Column } from './form.ts';

/** What a process holds after so many rounds. */
export interface Sample {
  readonly round: number;
  /** In bytes, after everything that can be collected was. */
  readonly heap: number;
  readonly files: number;
  /** Timers, sockets, watches, workers, … */
  readonly resources: number;
  readonly listeners: number;
}

const [column, place = '', rounds = '', milliseconds = ''] = process.argv.slice(2);
// Where there is one, node-postgres makes one to learn where it runs, and it would not be there without WebAssembly.
Reflect.deleteProperty(globalThis, 'Response');
/** Lives as long as the process, as a program's own does. */
const { signal } = new AbortController();

/** The providers that are used in turn. To start a worker takes longer than all else of a round, so it is one of many. */
function providersOf(name: Column): readonly Provider[] {
  switch (name) {
    case 'memory':
      return [memory()];
    case 'json-file':
      return [jsonFile({ directory: place })];
    case 'sqlite':
      return [true, ...new Array<boolean>(9).fill(false)].map((worker) => sqlite({ file: join(place, 'soak.sqlite'), worker }));
    case 'postgres':
      return [postgres({ connection: place, schema: 'soak' })];
  }
}

/** Fails the first attempt of each session, to be tried again, and after `failures` the whole series. */
function failing(provider: Provider): Provider {
  return {
    name: provider.name,
    async open(name, context) {
      const session = await provider.open(name, context);
      let attempts = 0;
      const write: typeof session.write = (batch, options) => {
        attempts++;
        if (attempts === 1 || (attempts > 3 && attempts < 7)) return Promise.reject(new ProviderError('the soak lets it fail', { kind: 'retry' }));
        return session.write(batch, options);
      };
      return new Proxy(session, {
        get: (target, name) => {
          if (name === 'write') return write;
          const member: unknown = Reflect.get(target, name);
          return typeof member === 'function' ? (...parameters: unknown[]): unknown => Reflect.apply(member, target, parameters) : member;
        },
      });
    },
  };
}

/** One of the waits comes into the series that fails. */
async function tolerant(saving: Promise<unknown>): Promise<void> {
  try {
    await saving;
  } catch (error) {
    if (!(error instanceof SaveError)) throw error;
  }
}

async function round(stores: ReturnType<typeof persistify>): Promise<void> {
  const store = await stores.open<Record<string, unknown>>('soak', { signal });
  const watched = [store.changes$, store.saves$, store.errors$, store.size$, store.entries$, store.status$, store.get$('a'), store.has$('b')].map((source$) => source$.subscribe());
  for (let key = 0; key < 20; key++) store.set(`key ${key}`, { text: 'x'.repeat(200), key }, key % 3 === 0 ? { ttlMs: 5 + key } : {});
  await tolerant(store.setAndSave('a', 1, { signal }));
  await tolerant(store.transactionAndSave(() => store.delete('a'), { signal }));
  await tolerant(store.setAndSave('b', 2, { signal }));
  await tolerant(store.updateAndSave('c', () => 3, { signal }));
  for (const subscription of watched.splice(2)) subscription.unsubscribe();
  store.get$('left behind').subscribe();
  store.clear();
  await tolerant(store.flush({ signal }));
  await store.flush({ signal }); // by now every failure is behind it
  await store.reload({ signal });
  await store.close({ signal });
}

function sample(at: number): Sample {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0) + getEventListeners(signal, 'abort').length;
  return { round: at, heap: heapUsed + arrayBuffers, files: readdirSync('/proc/self/fd').length, resources: process.getActiveResourcesInfo().length, listeners };
}

const known = (['memory', 'json-file', 'sqlite', 'postgres'] as const).find((name) => name === column);
if (known === undefined || globalThis.gc === undefined) throw new Error('The soak needs a provider, and --expose-gc.');
const builders = providersOf(known).map((provider) => persistify(failing(provider)).withBatch({ size: 10, intervalMs: 1 }).withRetry({ maxAttempts: 3, delayMs: 1, maxDelayMs: 2, probeMs: 50 }));
const endsAt = Date.now() + Number(milliseconds);
const each = Math.ceil(Number(rounds) / 30);
for (let count = 0; count < Number(rounds) || Date.now() < endsAt; count++) {
  for (const stores of builders.slice(count % builders.length, (count % builders.length) + 1)) await round(stores);
  if (count % each !== each - 1) continue;
  await delay(20); // what was let go of ends
  console.log(JSON.stringify(sample(count + 1)));
}
