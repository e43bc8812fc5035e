import { digestOf, type JournalRecord, type Step } from './journal.ts';

export interface Evidence {
  /** What storage held before the writer began: stamps by key. */
  readonly before: ReadonlyMap<string, string>;
  readonly journal: readonly JournalRecord[];
  /** What storage holds after the writer was killed. */
  readonly found: ReadonlyMap<string, string>;
}

/**
 * What may be wrong. `journal`: the writer's account contradicts itself or the store. `invented`: a value that was never
 * written under its key. `lost`: the store as it once was, but before something acknowledged. `half a transaction`: the
 * store in the middle of one. `hole`: every value was written, but together they are the store at no moment.
 */
export type Wrong = 'journal' | 'invented' | 'lost' | 'half a transaction' | 'hole';

export type Verdict =
  | { readonly right: true; readonly applied: number; readonly acknowledged: number; readonly found: number }
  | { readonly right: false; readonly wrong: Wrong; readonly detail: string };

/** Whether storage holds everything that was acknowledged, and is the store at one `seq`. Exact: whole dictionaries are compared. */
export function judge({ before, journal, found }: Evidence): Verdict {
  const replay = new Replay(before, found);
  for (const record of journal) {
    const contradiction = replay.take(record);
    if (contradiction !== undefined) return { right: false, wrong: 'journal', detail: contradiction };
  }
  const { applied, acknowledged, lastMatch, halfMatch, nearest } = replay;
  if (lastMatch >= acknowledged) return { right: true, applied, acknowledged, found: lastMatch };

  const invented = inventedIn(found, before, journal);
  if (invented !== undefined) return { right: false, wrong: 'invented', detail: invented };
  const range = `acknowledged up to ${acknowledged}, applied up to ${applied}`;
  if (lastMatch >= 0) return { right: false, wrong: 'lost', detail: `storage is the store at ${lastMatch}; ${range}` };
  if (halfMatch >= 0) return { right: false, wrong: 'half a transaction', detail: `storage is the store at ${halfMatch}, inside a transaction; ${range}` };
  return { right: false, wrong: 'hole', detail: `storage is the store at no moment; nearest is ${nearest.at}, with ${nearest.differing} keys that differ: ${nearest.example}; ${range}` };
}

/** Goes through the states that the store was in, and compares each with what was found at the cost of what changed. */
class Replay {
  /** Counts steps from the beginning of the journal; a store's `seq` begins anew with each `open`. */
  applied = 0;
  acknowledged = 0;
  /** The last state that equals what was found, and the last within a transaction that does; -1: none. */
  lastMatch = -1;
  halfMatch = -1;
  nearest: { at: number; differing: number; example: string };
  readonly #model: Map<string, string>;
  readonly #found: ReadonlyMap<string, string>;
  readonly #differing = new Set<string>();
  #openedAt = 0;
  #boundaries = new Set([0]);

  constructor(before: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>) {
    this.#model = new Map(before);
    this.#found = found;
    for (const key of [...before.keys(), ...found.keys()]) this.#compare(key);
    this.nearest = { at: 0, differing: Infinity, example: '' };
    this.#match();
  }

  /** Returns what is wrong with the record. */
  take(record: JournalRecord): string | undefined {
    switch (record.type) {
      case 'opened': {
        this.#openedAt = this.applied;
        this.#boundaries = new Set([0]);
        const digest = digestOf(this.#model);
        return record.digest === digest ? undefined : `the store opened with ${record.digest}, but the model has ${digest}`;
      }
      case 'change':
        return this.#change(record.steps, record.seq);
      case 'acknowledged':
        return this.#acknowledge(record.seq);
      case 'closed':
        this.acknowledged = this.applied;
        return undefined;
      case 'fault':
        return record.message;
      case 'opening':
      case 'writing':
      case 'written':
      case 'idling':
      case 'closing':
        return undefined;
    }
  }

  #change(steps: readonly Step[], seq: number): string | undefined {
    for (const [index, step] of steps.entries()) {
      this.#apply(step);
      this.applied++;
      if (index < steps.length - 1 && this.#differing.size === 0) this.halfMatch = this.applied;
    }
    this.#match();
    this.#boundaries.add(seq);
    const counted = this.applied - this.#openedAt;
    return counted === seq ? undefined : `a change says seq ${seq} where ${counted} is due`;
  }

  #acknowledge(seq: number): string | undefined {
    if (!this.#boundaries.has(seq)) return `seq ${seq} was acknowledged, which is not the end of a change that was applied (last is ${this.applied - this.#openedAt})`;
    this.acknowledged = Math.max(this.acknowledged, this.#openedAt + seq);
    return undefined;
  }

  #apply(step: Step): void {
    if (step.type === 'clear') {
      this.#model.clear();
      this.#differing.clear();
      for (const key of this.#found.keys()) this.#differing.add(key);
      return;
    }
    if (step.type === 'set') this.#model.set(step.key, step.stamp);
    else this.#model.delete(step.key);
    this.#compare(step.key);
  }

  #compare(key: string): void {
    if (this.#model.get(key) === this.#found.get(key)) this.#differing.delete(key);
    else this.#differing.add(key);
  }

  #match(): void {
    const differing = this.#differing.size;
    if (differing === 0) this.lastMatch = this.applied;
    if (differing > this.nearest.differing) return;
    const [key = ''] = this.#differing;
    const example = `${JSON.stringify(key)} is ${this.#found.get(key) ?? 'absent'} and should be ${this.#model.get(key) ?? 'absent'}`;
    this.nearest = { at: this.applied, differing, example };
  }
}

function inventedIn(found: ReadonlyMap<string, string>, before: ReadonlyMap<string, string>, journal: readonly JournalRecord[]): string | undefined {
  const written = new Set<string>();
  const entry = (key: string, stamp: string): string => JSON.stringify([key, stamp]);
  for (const [key, stamp] of before) written.add(entry(key, stamp));
  for (const record of journal) {
    if (record.type !== 'change') continue;
    for (const step of record.steps) if (step.type === 'set') written.add(entry(step.key, step.stamp));
  }
  for (const [key, stamp] of found) if (!written.has(entry(key, stamp))) return `${JSON.stringify(key)} is ${stamp}, which was never written there`;
  return undefined;
}
