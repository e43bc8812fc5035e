import { audit, share, Subject, Subscription, type Observable, type SchedulerLike } from 'rxjs';

import type { Change, Status } from '../change.ts';
import { nextTurn } from '../streams/macrotask.ts';
import { ChangeLog, type Logged } from './change-log.ts';
import type { FeedSettings } from './options.ts';
import { ToldStretches, type Stretch } from './told-stretches.ts';

/** What of a store its feed needs. */
export interface Served {
  readonly name: string;
  readonly status: Status;
  readonly status$: Observable<Status>;
  readonly changes$: Observable<Change>;
  keys(): Iterable<string>;
  jsonOf(key: string): string | undefined;
}

/** No event has much more text than this, but for one of a large value, so that a reader who is slow is waited for between two. */
export const EVENT_LENGTH = 64_000;

/** So many keys are forgotten in one turn of the event loop, as there may be a million. */
const FORGOTTEN_A_TURN = 10_000;

/** What all readers of a store share: in which order its keys changed, and word that they did. */
export class StoreFeed {
  readonly store: Served;
  readonly log: ChangeLog;
  /** Emits, once a turn of the event loop, when there is something to tell; completes when the store closes. */
  readonly news$: Observable<unknown>;
  /** The last status, as JSON. That the store is closed is told otherwise. */
  status = '';
  readonly #news = new Subject<undefined>();
  readonly #following = new Subscription();
  /** Of one run of this server, and of this opening of the store: `seq` begins anew with either. */
  readonly #epoch = crypto.randomUUID();
  readonly #stretches = new ToldStretches();
  readonly #scheduler: SchedulerLike;
  #forgetting: Subscription | undefined;

  constructor(store: Served, { history, scheduler }: Pick<FeedSettings, 'history' | 'scheduler'>) {
    this.store = store;
    this.log = new ChangeLog(history);
    this.#scheduler = scheduler;
    this.news$ = this.#news.pipe(audit(() => nextTurn(scheduler)), share());
    this.#following.add(store.changes$.subscribe({ next: (change) => this.#changed(change), complete: () => this.#news.complete() }));
    this.#following.add(store.status$.subscribe((status) => this.#tellStatus(status)));
  }

  /** Nothing is followed any more. */
  stop(): void {
    this.#following.unsubscribe();
    this.#forgetting?.unsubscribe();
    this.#news.complete();
  }

  /** The id of a place in the log. */
  idOf(seq: number): string {
    return `${this.#epoch}:${seq}`;
  }

  /** The place of an id that a reader was told; `undefined` if what he missed cannot be told, so that he needs all anew. */
  placeOf(id: string | null): number | undefined {
    const [, epoch, digits = ''] = /^(.*):(\d+)$/.exec(id ?? '') ?? [];
    const seq = Number(digits);
    return epoch === this.#epoch && seq >= this.log.floor && seq <= this.log.head ? seq : undefined;
  }

  /** Has what changes from now on remembered, be it more than the history, until the returned function is called. */
  hold(): () => void {
    const letGo = this.log.hold();
    return () => {
      letGo();
      this.#forgetSoon();
    };
  }

  /** What changed behind `since` of the keys that begin with `prefix`: all up to `upTo`, or as much as one event has. */
  stretch(since: number, upTo: number, prefix: string): Stretch {
    const asked = `${since} ${upTo} ${prefix}`;
    const told = this.#stretches.find(asked);
    if (told !== undefined) return told;
    const stretch = this.#stretch(since, upTo, prefix);
    this.#stretches.add(asked, stretch);
    return stretch;
  }

  #stretch(since: number, upTo: number, prefix: string): Stretch {
    const { clearedAt } = this.log;
    const texts = since < clearedAt && clearedAt <= upTo ? ['{"type":"clear"}'] : [];
    let length = 0;
    for (const row of this.log.after(since)) {
      if (row.seq > upTo) break;
      const text = row.key.startsWith(prefix) ? this.#textOf(row) : undefined;
      if (text === undefined) continue;
      texts.push(text);
      length += text.length;
      if (length >= EVENT_LENGTH) return { text: texts.join(','), upTo: row.seq };
    }
    return { text: texts.join(','), upTo };
  }

  /** As the store has it now; what it had in between is told by nobody. */
  #textOf({ type, key }: Logged): string | undefined {
    const name = JSON.stringify(key);
    if (type !== 'set') return `{"type":"${type}","key":${name}}`;
    const json = this.store.jsonOf(key);
    // What has ended at this millisecond is told to in a moment.
    return json === undefined ? undefined : `{"type":"set","key":${name},"value":${json}}`;
  }

  #forgetSoon(): void {
    if (this.#following.closed || this.#forgetting?.closed === false) return;
    this.#forgetting = nextTurn(this.#scheduler).subscribe({
      complete: () => {
        if (this.log.forget(FORGOTTEN_A_TURN)) this.#forgetSoon();
      },
    });
  }

  #changed(change: Change): void {
    if (change.type === 'clear') this.log.clear();
    else this.log.add(change.type, change.key);
    this.#tell();
  }

  #tellStatus(status: Status): void {
    if (status.state === 'closed') return;
    this.status = JSON.stringify(status);
    this.#tell();
  }

  #tell(): void {
    this.#stretches.clear();
    this.#news.next(undefined);
  }
}
