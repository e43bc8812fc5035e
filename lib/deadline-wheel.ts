import { deadlineOf, type Ending } from './deadline.ts';

/** Buckets of this many milliseconds are spread over single milliseconds, a bucket ahead of time. */
const EPOCH_MS = 1_024;
/** Buckets of one level that make a bucket of the next. */
const FAN_OUT = 64;
/** Fewer stale listings are not worth a clean-up; each holds what was listed. */
const FEW = 100;
/** By fewer epochs may the clock be set back without everything being put in its place anew. */
const NEAR = 64;

type Bucket<E> = E[];

/** A bucket that is looked through from its front. */
interface Task<E> {
  /** Nothing in it ends earlier, but for what was moved since. */
  readonly startMs: number;
  readonly bucket: Bucket<E>;
  next: number;
}

/**
 * Knows which of many deadlines have passed: a hierarchical timing wheel (George Varghese and Tony Lauck, "Hashed and
 * Hierarchical Timing Wheels", SOSP 1987) in which nothing moves at once that is many. A deadline is put in a bucket as wide
 * as it is far; when the time of a bucket draws near it is spread over narrower ones, in parts, at least a second ahead.
 *
 * An entry is listed once. When its deadline moves back, its listing stays and is put right when its turn comes; one whose
 * deadline moves forward, or that leaves, is marked and listed anew. It costs 8 to 12 bytes an entry.
 */
export class DeadlineWheel<E extends Ending> {
  /** By millisecond: up to the end of the next epoch. */
  readonly #soon = new Map<number, Bucket<E>>();
  /** By level, then by number: level 0 has buckets of an epoch. */
  readonly #later: Map<number, Bucket<E>>[] = [];
  /** What may have ended. */
  #passed: Task<E>[] = [];
  /** What is to be spread. */
  #ahead: Task<E>[] = [];
  /** Counted as ended, in about the order of their deadlines, not taken yet. */
  #ended: E[] = [];
  #taken = 0;
  #endedCount = 0;
  #listed = 0;
  #stale = 0;
  #shifts = 0;
  #now = -Infinity;
  /** What ends in an epoch up to this one is in `#soon`. */
  #horizon = -Infinity;

  /** Grows whenever something may have left the place where it is listed. */
  get shifts(): number {
    return this.#shifts;
  }

  get isEmpty(): boolean {
    return this.#listed === 0 && this.#endedCount === 0;
  }

  /** Whether there is something to be looked through that may hold what has ended. */
  get hasPassed(): boolean {
    return this.#passed.length > 0;
  }

  /** Takes in an entry that is not listed. */
  list(entry: E, now: number): void {
    if (this.#now === -Infinity) this.#start(Math.floor(now));
    this.#listed++;
    this.#place(entry);
  }

  /** An entry that is listed, or counted, is so no more. */
  leave(entry: E): void {
    if (Number.isNaN(entry.expiresAt)) return;
    if (entry.expiresAt < 0) this.#endedCount--;
    else this.#stale++;
    entry.expiresAt = NaN;
    if (this.#stale > FEW && this.#stale * 2 > this.#listed) this.#dropStale();
  }

  /** One that has left, or was moved, is as it was when `shifts` was asked for. */
  revive(entry: E, expiresAt: number, now: number, shifts: number): void {
    const before = entry.expiresAt;
    if (before < 0) this.#endedCount--;
    entry.expiresAt = expiresAt;
    if (expiresAt < 0) {
      this.#endedCount++;
      this.#ended.push(entry);
    } else if (shifts !== this.#shifts) {
      if (before > 0) this.#stale++; // the listing that it has may be too late
      this.list(entry, now);
    } else if (Number.isNaN(before)) this.#stale--;
  }

  /** How many have ended by `now` and have not left. */
  endedCount(now: number): number {
    this.#advance(Math.floor(now));
    this.#passed = this.#lookThrough(this.#passed, Infinity, Infinity);
    this.#ahead = this.#lookThrough(this.#ahead, Infinity, this.#now);
    return this.#endedCount;
  }

  /** Looks through at most `limit` entries whose turn has come. */
  work(now: number, limit: number): void {
    this.#advance(Math.floor(now));
    const due = remaining(this.#passed);
    this.#passed = this.#lookThrough(this.#passed, limit, Infinity);
    if (due < limit) this.#ahead = this.#lookThrough(this.#ahead, limit - due, Infinity);
  }

  /** The next that was found to have ended; it is to `leave` then. */
  nextEnded(): E | undefined {
    for (let entry = this.#ended[this.#taken]; entry !== undefined; entry = this.#ended[this.#taken]) {
      if (entry.expiresAt < 0) return entry;
      this.#taken++;
    }
    this.#ended = [];
    this.#taken = 0;
    return undefined;
  }

  /** When there will be something to do; in the past if there is now, `undefined` if never. */
  nextAt(now: number): number | undefined {
    this.#advance(Math.floor(now));
    if (this.nextEnded() !== undefined || this.#passed.length > 0 || this.#ahead.length > 0) return this.#now;
    let next = Infinity;
    for (const ms of this.#soon.keys()) next = Math.min(next, ms);
    // A lower level ends before a higher one begins.
    const level = this.#later.findIndex((buckets) => buckets.size > 0);
    const buckets = this.#later[level];
    if (buckets !== undefined) next = Math.min(next, (Math.min(...buckets.keys()) * FAN_OUT ** level - 1) * EPOCH_MS);
    return next === Infinity ? undefined : next;
  }

  #start(now: number): void {
    this.#now = now;
    this.#horizon = Math.floor(now / EPOCH_MS) + 1;
  }

  #advance(now: number): void {
    if (this.#now === -Infinity) this.#start(now);
    if (now < this.#now && this.#horizon - Math.floor(now / EPOCH_MS) > NEAR) this.#startAnew(now);
    if (now - this.#now <= this.#soon.size) for (let ms = this.#now + 1; ms <= now; ms++) this.#pass(ms);
    else for (const ms of [...this.#soon.keys()].filter((each) => each <= now).sort((left, right) => left - right)) this.#pass(ms);
    this.#now = now;
    const horizon = Math.floor(now / EPOCH_MS) + 1;
    if (horizon > this.#horizon) this.#widen(horizon);
  }

  #pass(ms: number): void {
    const bucket = this.#soon.get(ms);
    if (bucket === undefined) return;
    this.#soon.delete(ms);
    this.#passed.push({ startMs: ms, bucket, next: 0 });
  }

  /** What ends up to the epoch `horizon` is to be spread now. */
  #widen(horizon: number): void {
    const before = this.#horizon;
    this.#horizon = horizon;
    let span = 1;
    for (const buckets of this.#later) {
      for (const [number, bucket] of buckets) {
        if (number > Math.floor(horizon / span)) continue;
        buckets.delete(number);
        this.#ahead.push({ startMs: number * span * EPOCH_MS, bucket, next: 0 });
      }
      span *= FAN_OUT;
      if (Math.floor(before / span) === Math.floor(horizon / span)) break;
    }
  }

  /** The clock was set back by much: nothing is where it should be, though it all is still to come. */
  #startAnew(now: number): void {
    for (const [ms, bucket] of this.#soon) this.#ahead.push({ startMs: ms, bucket, next: 0 });
    for (const [level, buckets] of this.#later.entries()) {
      for (const [number, bucket] of buckets) this.#ahead.push({ startMs: number * FAN_OUT ** level * EPOCH_MS, bucket, next: 0 });
    }
    this.#soon.clear();
    this.#later.length = 0;
    this.#start(now);
  }

  #place(entry: E): void {
    const deadline = deadlineOf(entry);
    if (deadline <= this.#now) {
      const last = this.#passed.at(-1);
      if (last === undefined) this.#passed.push({ startMs: deadline, bucket: [entry], next: 0 });
      else last.bucket.push(entry);
      return;
    }
    const epoch = Math.floor(deadline / EPOCH_MS);
    if (epoch <= this.#horizon) push(this.#soon, deadline, entry);
    else this.#placeLater(entry, epoch);
  }

  #placeLater(entry: E, epoch: number): void {
    let level = 0;
    let number = epoch;
    let horizon = this.#horizon;
    // The level at which the two are in the same bucket of the next.
    while (Math.floor(number / FAN_OUT) !== Math.floor(horizon / FAN_OUT)) {
      number = Math.floor(number / FAN_OUT);
      horizon = Math.floor(horizon / FAN_OUT);
      level++;
    }
    while (this.#later.length <= level) this.#later.push(new Map());
    push(this.#later[level] ?? new Map<number, Bucket<E>>(), number, entry);
  }

  /** Puts at most `limit` entries of what may end by `until` where they belong by now. Returns what is left to do. */
  #lookThrough(tasks: Task<E>[], limit: number, until: number): Task<E>[] {
    if (tasks.length === 0) return tasks;
    let left = limit;
    for (const task of tasks) {
      if (left === 0) break;
      if (task.startMs <= until) left -= this.#putRight(task, left);
    }
    return tasks.filter(({ bucket, next }) => next < bucket.length);
  }

  /** Returns how many it looked at. */
  #putRight(task: Task<E>, limit: number): number {
    const { bucket, next } = task;
    const end = Math.min(bucket.length, next + limit);
    this.#shifts++;
    for (let index = next; index < end; index++) {
      const entry = bucket[index];
      if (entry === undefined) break;
      if (entry.expiresAt > this.#now) this.#place(entry);
      else this.#end(entry);
    }
    task.next = end;
    return end - next;
  }

  #end(entry: E): void {
    this.#listed--;
    if (!(entry.expiresAt > 0)) {
      this.#stale = Math.max(0, this.#stale - 1); // it has left, or was counted under another listing
      return;
    }
    entry.expiresAt = -entry.expiresAt;
    this.#endedCount++;
    this.#ended.push(entry);
  }

  #dropStale(): void {
    this.#shifts++;
    this.#listed = 0;
    this.#stale = 0;
    for (const task of [...this.#passed, ...this.#ahead]) {
      this.#keepLive(task.bucket, task.next);
      task.next = 0;
    }
    this.#passed = this.#passed.filter(({ bucket }) => bucket.length > 0);
    this.#ahead = this.#ahead.filter(({ bucket }) => bucket.length > 0);
    for (const buckets of [this.#soon, ...this.#later]) {
      for (const [number, bucket] of buckets) if (this.#keepLive(bucket, 0) === 0) buckets.delete(number);
    }
  }

  /** Returns how many are kept. */
  #keepLive(bucket: Bucket<E>, from: number): number {
    let kept = 0;
    for (let index = from; index < bucket.length; index++) {
      const entry = bucket[index];
      if (entry !== undefined && !Number.isNaN(entry.expiresAt)) bucket[kept++] = entry;
    }
    bucket.length = kept;
    this.#listed += kept;
    return kept;
  }
}

function push<E>(buckets: Map<number, Bucket<E>>, number: number, entry: E): void {
  const bucket = buckets.get(number);
  if (bucket === undefined) buckets.set(number, [entry]);
  else bucket.push(entry);
}

function remaining(tasks: readonly Task<unknown>[]): number {
  return tasks.reduce((sum, { bucket, next }) => sum + bucket.length - next, 0);
}
