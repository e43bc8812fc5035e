// What deadlines cost: bytes, the event loop while many end at once, and time a call.
// npm run bench:ttl [-- --provider memory|sqlite] [--keys 1000000] [--only bytes|hold|time]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { memory, persistify, type Mutation, type Provider, type ProviderSession, type Store, type TtlOptions } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

type Numbers = Store<Record<string, number>>;

const { values: options } = parseArgs({
  options: {
    provider: { type: 'string', default: 'memory' },
    keys: { type: 'string', default: '1000000' },
    only: { type: 'string' },
    child: { type: 'string' },
    directory: { type: 'string' },
  },
});
const KEYS = Number(options.keys);
const AT_ONCE = Math.min(100_000, KEYS);
const CHILDREN = 3;
const NAME = 'bench';

const keyAt = (index: number): string => `session:${index.toString(36).padStart(8, '0')}`;
const median = (values: readonly number[]): number => [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN;

function newProvider(): Provider {
  return options.provider === 'sqlite' ? sqlite({ file: join(options.directory ?? '.', 'bench.sqlite') }) : memory();
}

function openSession(provider: Provider): Promise<ProviderSession> {
  return provider.open(NAME, { writer: crypto.randomUUID(), report: () => undefined });
}

/** Fills storage without a store, so that no store's memory is counted. */
async function fill(provider: Provider, deadlineOf: (index: number) => number | undefined): Promise<void> {
  const session = await openSession(provider);
  const writer = crypto.randomUUID();
  for (let from = 0; from < KEYS; from += 20_000) {
    const mutations = Array.from({ length: Math.min(20_000, KEYS - from) }, (_, offset): Mutation => {
      const expiresAt = deadlineOf(from + offset);
      const set = { type: 'set', key: keyAt(from + offset), json: String(from + offset) } as const;
      return expiresAt === undefined ? set : { ...set, expiresAt };
    });
    await session.write({ number: from / 20_000 + 1, writer, mutations }, { signal: new AbortController().signal });
  }
  await session.close();
}

async function usedBytes(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('Run node with --expose-gc.');
  for (let round = 0; round < 3; round++) {
    await turn();
    globalThis.gc();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const held: unknown[] = [];

/** Bytes a key of what holds all keys: a plain Map, a store, or a store whose keys have deadlines. */
async function bytes(what: string): Promise<number> {
  const provider = newProvider();
  // Deadlines in an hour to a week: near and far buckets.
  await fill(provider, (index) => (what === 'deadlines' ? Date.now() + 3_600_000 + ((index * 7_919) % 600_000_000) : undefined));
  const before = await usedBytes();
  if (what === 'map') {
    const map = new Map<string, unknown>();
    const session = await openSession(provider);
    for await (const { entries } of session.load()) for (const { key, json } of entries) map.set(key, JSON.parse(json));
    await session.close();
    held.push(map);
  } else {
    const store = await persistify(provider).open<Record<string, number>>(NAME);
    await wait(100);
    held.push(store);
  }
  return ((await usedBytes()) - before) / KEYS;
}

/** The longest turn of the event loop: by the clock, and by what of it the process had a core for, which others cannot make longer. */
interface Longest {
  readonly gapMs: number;
  readonly heldMs: number;
}

interface Hold {
  readonly ending: Longest;
  /** While nothing ends: what the machine, and garbage, do by themselves. */
  readonly idle: Longest;
  readonly delayMs: number;
  readonly totalMs: number;
}

/** The longest holds of the event loop while a tenth of the keys end at the same instant. */
async function hold(): Promise<Hold> {
  const provider = newProvider();
  const endsAt = Date.now() + (options.provider === 'sqlite' ? 40_000 : 15_000);
  await fill(provider, (index) => (index % Math.round(KEYS / AT_ONCE) === 0 ? endsAt : endsAt + 3_600_000 + index));
  const store = await persistify(provider).open<Record<string, number>>(NAME);
  let ended = 0;
  let size = 0;
  store.changes$.subscribe(({ type }) => {
    if (type === 'expire') ended++;
  });
  store.size$.subscribe((now) => (size = now));
  await usedBytes(); // what opening left is no part of this
  if (Date.now() > endsAt - 2_000) throw new Error('The machine is too slow for this many keys.');
  const idle = await longestTurn(() => Date.now() > endsAt - 1_000);
  await wait(Math.max(0, endsAt - Date.now() - 200));
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const startedAt = performance.now();
  const ending = await longestTurn(() => ended >= AT_ONCE && store.unsaved.length === 0);
  delays.disable();
  const totalMs = performance.now() - startedAt - 200;
  if (size !== KEYS - AT_ONCE) throw new Error(`The size told is ${size}.`);
  await store.close();
  return { ending, idle, delayMs: delays.max / 1e6, totalMs };
}

/** Turns the event loop until `isDone`, which is asked now and then and not measured. */
async function longestTurn(isDone: () => boolean): Promise<Longest> {
  let [gapMs, heldMs] = [0, 0];
  do {
    for (let count = 0; count < 64; count++) {
      const at = performance.now();
      const cpu = process.cpuUsage();
      await turn();
      const gap = performance.now() - at;
      const { user, system } = process.cpuUsage(cpu);
      gapMs = Math.max(gapMs, gap);
      heldMs = Math.max(heldMs, Math.min(gap, (user + system) / 1_000)); // the cores of helping threads count too
    }
  } while (!isDone());
  return { gapMs, heldMs };
}

const VARIANTS: readonly (readonly [string, TtlOptions | undefined])[] = [
  ['without', undefined],
  ['absolute', { ms: 3_600_000, mode: 'absolute' }],
  ['sliding', { ms: 3_600_000, mode: 'sliding' }],
];
const CALLS = ['set, new key', 'set, present key', 'get'] as const;

/** Nanoseconds a call, by variant and call; the variants take turns, so that the machine's moods meet all alike. */
async function time(): Promise<Record<string, number>> {
  const keys = Array.from({ length: 100_000 }, (_, index) => keyAt(index));
  const found = new Map<string, number[]>();
  for (let round = 0; round < 13; round++) {
    const order = VARIANTS.map((_, index) => VARIANTS[(index + round) % VARIANTS.length]);
    for (const variant of order) {
      if (variant === undefined) continue;
      const [name, ttl] = variant;
      const builder = persistify(sink()).withBatch({ intervalMs: 10_000, size: 1_000_000 });
      const store = await (ttl === undefined ? builder : builder.withTtl(ttl)).open<Record<string, number>>(NAME);
      await turn();
      store.changes$.subscribe();
      globalThis.gc?.();
      const set = (): void => keys.forEach((key, index) => store.set(key, index));
      const took = [await timed(set, store), await timed(set, store), await timed(() => keys.forEach((key) => store.get(key)), store)];
      if (round > 2) for (const [index, call] of CALLS.entries()) found.set(`${name} ${call}`, [...(found.get(`${name} ${call}`) ?? []), ((took[index] ?? NaN) / keys.length) * 1e6]);
      await store.close();
    }
  }
  return Object.fromEntries([...found].map(([name, each]) => [name, median(each)]));
}

async function timed(work: () => void, store: Numbers): Promise<number> {
  await wait(20); // so that a sliding deadline has somewhere to go
  const startedAt = performance.now();
  work();
  const took = performance.now() - startedAt;
  await store.flush();
  return took;
}

/** Takes everything at once and keeps nothing. */
function sink(): Provider {
  return {
    name: 'sink',
    open: () =>
      Promise.resolve({
        capabilities: { shared: false, durability: 'memory' },
        async *load() {
          yield await Promise.resolve({ version: 0, entries: [] });
        },
        write: ({ number }) => Promise.resolve({ version: number, leftOut: [] }),
        close: () => Promise.resolve(),
      }),
  };
}

/** Runs a part in a process of its own, with storage of its own, and gives what it prints. */
function inChild(part: string): unknown {
  const directory = mkdtempSync(join(tmpdir(), 'rx-persistify-bench-'));
  try {
    const args = ['--expose-gc', fileURLToPath(import.meta.url), '--child', part, '--provider', options.provider, '--keys', options.keys, '--directory', directory];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1e8, stdio: ['ignore', 'pipe', 'inherit'] })) as unknown;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const wanted = (part: string): boolean => options.only === undefined || options.only === part;
const number = (value: number, digits = 1): string => value.toFixed(digits).padStart(9);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

function report(): void {
  print(`${KEYS.toLocaleString('en')} keys, provider ${options.provider}, Node ${process.version}; medians of ${CHILDREN} processes`);
  if (wanted('bytes')) {
    const [map = NaN, store = NaN, deadlines = NaN] = ['map', 'store', 'deadlines'].map((what) => median(Array.from({ length: CHILDREN }, () => Number(inChild(`bytes ${what}`)))));
    print('\nbytes a key (heapUsed + external after gc)');
    print(`  plain Map              ${number(map)}`);
    print(`  store                  ${number(store)}`);
    print(`  store with deadlines   ${number(deadlines)}`);
    print(`  a deadline costs       ${number(deadlines - store)}   (at most 48)`);
  }
  if (wanted('hold')) {
    const runs = Array.from({ length: CHILDREN }, () => inChild('hold') as Hold);
    print(`\nevent loop while ${AT_ONCE.toLocaleString('en')} end at the same instant, a changes$ and a size$ subscriber, in ms`);
    const line = (name: string, of: (run: Hold) => number): string => `  ${name.padEnd(36)}${runs.map((run) => number(of(run))).join('')}`;
    print(`${line('longest turn, time on a core', ({ ending }) => ending.heldMs)}   (at most 10)`);
    print(line('longest turn, by the clock', ({ ending }) => ending.gapMs));
    print(line('longest delay of a timer, by the clock', ({ delayMs }) => delayMs));
    print(line('the same while nothing ends, on a core', ({ idle }) => idle.heldMs));
    print(line('the same while nothing ends, by clock', ({ idle }) => idle.gapMs));
    print(line('from the instant until all is saved', ({ totalMs }) => totalMs));
  }
  if (wanted('time')) {
    const runs = Array.from({ length: CHILDREN }, () => inChild('time') as Record<string, number>);
    print('\nnanoseconds a call, 100,000 distinct keys, a changes$ subscriber');
    print(`  ${' '.repeat(18)}${VARIANTS.map(([name]) => name.padStart(10)).join('')}${['absolute', 'sliding'].map((name) => `${name} /`.padStart(12)).join('')}`);
    for (const call of CALLS) {
      const costs = VARIANTS.map(([name]) => median(runs.map((run) => run[`${name} ${call}`] ?? NaN)));
      const ratios = costs.slice(1).map((cost) => `x${(cost / (costs[0] ?? NaN)).toFixed(2)}`.padStart(12));
      print(`  ${call.padEnd(18)}${costs.map((cost) => number(cost, 0).padStart(10)).join('')}${ratios.join('')}`);
    }
  }
}

const [part, what = ''] = (options.child ?? '').split(' ');
if (part === '') report();
else {
  const result = part === 'bytes' ? await bytes(what) : part === 'hold' ? await hold() : await time();
  process.stdout.write(JSON.stringify(result));
  process.exit();
}
