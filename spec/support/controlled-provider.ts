import { memory, type Batch, type BatchResult, type LeftOut, type Provider, type ProviderSession } from 'rx-persistify';

/** What a test decides of an attempt to write: an error to throw, or what to leave out, or to wait; nothing: it succeeds. */
export type Verdict = Error | { readonly leaveOut: readonly number[] } | Promise<unknown> | undefined;

export interface ControlledProvider extends Provider {
  /** Every batch that was attempted. */
  readonly attempts: Batch[];
  /** Decides of each attempt from now on. */
  verdict: (batch: Batch, signal: AbortSignal) => Verdict;
  /** How often `load` was called. */
  loads: number;
  opens: number;
  closes: number;
}

/** A real provider whose faults a test injects, as they cannot be had otherwise at a chosen moment. */
export function controlledProvider(provider: Provider = memory(), change: Partial<ProviderSession> = {}): ControlledProvider {
  const controlled: ControlledProvider = {
    name: 'controlled',
    attempts: [],
    verdict: () => undefined,
    loads: 0,
    opens: 0,
    closes: 0,
    async open(storeName, context) {
      controlled.opens++;
      const session = await provider.open(storeName, context);
      return {
        capabilities: { ...session.capabilities, shared: false },
        load() {
          controlled.loads++;
          return session.load();
        },
        async write(batch, writeContext): Promise<BatchResult> {
          controlled.attempts.push(batch);
          const verdict = controlled.verdict(batch, writeContext.signal);
          if (verdict instanceof Error) throw verdict;
          if (verdict instanceof Promise) await verdict;
          const leaveOut = verdict !== undefined && 'leaveOut' in verdict ? verdict.leaveOut : [];
          const kept = batch.mutations.flatMap((_, index) => (leaveOut.includes(index) ? [] : [index]));
          const { version, leftOut } = await session.write({ ...batch, mutations: batch.mutations.filter((_, index) => !leaveOut.includes(index)) }, { signal: new AbortController().signal });
          const refused = leaveOut.map((index): LeftOut => ({ index, reason: batch.mutations[index]?.type === 'expire' ? 'conflict' : 'refused', message: 'the test refuses it' }));
          return { version, leftOut: [...refused, ...leftOut.map((each) => ({ ...each, index: kept[each.index] ?? -1 }))].sort((left, right) => left.index - right.index) };
        },
        async close() {
          controlled.closes++;
          await session.close();
        },
        ...change,
      };
    },
  };
  return controlled;
}

/** A promise, and what settles it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Lets every microtask and macrotask that is due run, in real time. */
export async function settled(turns = 5): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** What an observable has told so far. */
export function recorded<T>(source$: { subscribe(next: (value: T) => void): unknown }): T[] {
  const values: T[] = [];
  source$.subscribe((value) => values.push(value));
  return values;
}
