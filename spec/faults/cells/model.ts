import { ttlMs as storeTtlMs, type Plan, type Step } from './model-commands.ts';

interface Entry {
  readonly value: unknown;
  /** `Infinity`: it stays. */
  readonly deadline: number;
  /** The time to live that it was given, where it slides. */
  readonly own: number | undefined;
}

/** A change as it is to be told. */
export interface Told {
  readonly type: 'set' | 'delete' | 'clear' | 'expire';
  readonly key: string | undefined;
  readonly value: unknown;
  readonly previous: unknown;
  readonly seq: number;
  readonly origin: 'local' | 'reload';
  readonly isInTransaction: boolean;
}

export class Thrown extends Error {}

/** A store as a plain Map would do it. */
export class Model {
  view = new Map<string, Entry>();
  /** What storage has. */
  base = new Map<string, Entry>();
  seq = 0;
  /** What was told since it was taken last. */
  told: Told[] = [];
  #now: number;
  readonly #ttl: Plan['ttl'];
  #depth = 0;
  /** At which `seq` all was saved. */
  #savedSeq = 0;
  readonly #moments = new Map<number, Map<string, Entry>>();

  constructor(now: number, ttl: Plan['ttl']) {
    this.#now = now;
    this.#ttl = ttl;
  }

  get entries(): readonly (readonly [string, unknown])[] {
    return [...this.view].map(([key, { value }]) => [key, value] as const);
  }

  /** Does what the call does, and returns what it returns. */
  apply(step: Step): unknown {
    switch (step.call) {
      case 'set':
        this.#set(step.key, step.value, step.ttlMs);
        return undefined;
      case 'add':
        if (this.view.has(step.key)) return false;
        this.#set(step.key, step.value, step.ttlMs);
        return true;
      case 'delete': {
        const entry = this.view.get(step.key);
        if (entry === undefined) return false;
        this.view.delete(step.key);
        this.#tell('delete', step.key, undefined, entry.value);
        return true;
      }
      case 'clear': {
        const { entries } = this;
        if (entries.length === 0) return undefined;
        this.view = new Map();
        this.#tell('clear', undefined, undefined, new Map(entries));
        return undefined;
      }
      case 'update': {
        const before = this.view.get(step.key);
        if (step.value === undefined) return before?.value;
        if (before === undefined) this.#set(step.key, step.value, undefined);
        else this.#update(step.key, step.value, before);
        return step.value;
      }
      case 'transaction':
        return this.#transaction(step);
    }
  }

  /** What `get` and `touch` do beside answering. */
  slide(key: string): void {
    const entry = this.view.get(key);
    if (entry === undefined || this.#ttl !== 'sliding' || entry.deadline === Infinity) return;
    const deadline = this.#now + (entry.own ?? storeTtlMs);
    if (deadline > entry.deadline) this.view.set(key, { ...entry, deadline });
  }

  /** Time goes on; what ends is told in the order in which it ends. */
  wait(ms: number): void {
    this.#now += ms;
    const ended = [...this.view].filter(([, { deadline }]) => deadline <= this.#now).sort(([, left], [, right]) => left.deadline - right.deadline);
    for (const [key, { value }] of ended) {
      this.view.delete(key);
      this.#tell('expire', key, undefined, value);
    }
  }

  saved(): void {
    this.base = new Map(this.view);
    this.#savedSeq = this.seq;
  }

  /** To be known by its `seq` later on. */
  remember(): void {
    this.#moments.set(this.seq, new Map(this.view));
  }

  /** A store may save earlier than it has to: it was saved as it was at this `seq`. */
  savedAt(seq: number): void {
    if (seq > this.#savedSeq) this.base = this.#moments.get(seq) ?? this.base;
  }

  /** Takes what storage has, and tells the differences. */
  reload(): void {
    const before = this.view;
    const stored = [...this.base].filter(([, { deadline }]) => deadline > this.#now);
    this.view = new Map(stored);
    for (const [key, { value }] of before) if (!this.view.has(key)) this.#tell('delete', key, undefined, value, 'reload');
    for (const [key, { value }] of stored) {
      const previous = before.get(key);
      if (previous === undefined || JSON.stringify(previous.value) !== JSON.stringify(value)) this.#tell('set', key, value, previous?.value, 'reload');
    }
  }

  /** Another store is opened on what storage has; what entries were given is not known there. */
  reopen(): void {
    this.view = new Map([...this.base].filter(([, { deadline }]) => deadline > this.#now).map(([key, entry]) => [key, { ...entry, own: undefined }]));
    this.base = new Map(this.view);
    this.#moments.clear();
    this.#savedSeq = 0;
    this.seq = 0;
    this.told = [];
  }

  /** Takes over an order that is not promised. */
  order(keys: Iterable<string>): void {
    const ordered = new Map<string, Entry>();
    for (const key of keys) {
      const entry = this.view.get(key);
      if (entry !== undefined) ordered.set(key, entry);
    }
    this.view = ordered;
  }

  take(): readonly Told[] {
    return this.told.splice(0);
  }

  #set(key: string, value: unknown, ttlMs: number | undefined): void {
    const previous = this.view.get(key)?.value;
    const lives = ttlMs ?? (this.#ttl === 'none' ? Infinity : storeTtlMs);
    this.view.set(key, { value, deadline: this.#now + lives, own: this.#ttl === 'sliding' ? ttlMs : undefined });
    this.#tell('set', key, value, previous);
  }

  /** What is there lives on as it was meant to. */
  #update(key: string, value: unknown, { value: previous, deadline, own }: Entry): void {
    const slid = this.#ttl === 'sliding' && deadline !== Infinity ? Math.max(deadline, this.#now + (own ?? storeTtlMs)) : deadline;
    this.view.set(key, { value, deadline: slid, own });
    this.#tell('set', key, value, previous);
  }

  #transaction({ steps, isThrown }: Extract<Step, { call: 'transaction' }>): number {
    const [view, seq, told] = [new Map(this.view), this.seq, [...this.told]];
    this.#depth++;
    try {
      for (const step of steps) {
        try {
          this.apply(step);
        } catch (error) {
          if (!(error instanceof Thrown)) throw error;
        }
      }
      if (isThrown) throw new Thrown();
      return steps.length;
    } catch (error) {
      [this.view, this.seq, this.told] = [view, seq, told];
      throw error;
    } finally {
      this.#depth--;
    }
  }

  #tell(type: Told['type'], key: string | undefined, value: unknown, previous: unknown, origin: Told['origin'] = 'local'): void {
    this.told.push({ type, key, value, previous, seq: ++this.seq, origin, isInTransaction: this.#depth > 0 });
  }
}
