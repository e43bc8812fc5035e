import { repeat, Subscription, type SchedulerLike } from 'rxjs';

import { nextTurn } from '../streams/macrotask.ts';
import { quietTimer } from '../streams/quiet-timer.ts';
import { eventText, heartbeatText } from './event-text.ts';
import { EVENT_LENGTH, type StoreFeed } from './store-feed.ts';

/** So many keys of a snapshot are looked at in one turn of the event loop, as a filter may leave out nearly all of a million. */
const KEYS_A_TURN = 10_000;
/** The longest that a timer waits; one for longer would be due at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Where a reader's events go: a response of Node, or a stream of the fetch standard. */
export interface Sink {
  /** Returns whether it takes more at once; if not, `drained` is called when it does. */
  write(text: string): boolean;
  /** Ends it in order, with a last text. */
  end(text: string): void;
  /** Ends it at once; what was not taken is dropped. */
  cut(): void;
}

export interface ReaderConfig {
  readonly feed: StoreFeed;
  readonly sink: Sink;
  /** What he knows; `undefined`: nothing. */
  readonly since: number | undefined;
  readonly prefix: string;
  /** How often he is told of a key, a second; `Infinity`: as it changes. */
  readonly rate: number;
  readonly heartbeatMs: number;
  readonly stallMs: number;
  readonly scheduler: SchedulerLike;
  /** Told when he is gone, be it that he was cut. */
  readonly onGone: () => void;
  readonly report: (error: unknown) => void;
}

/**
 * One who reads a feed. All that is kept of him is how far he has come in the log: one who is slow is told later, of fewer and
 * newer values, and no queue grows. One who takes nothing at all for a while is cut.
 */
export class Reader {
  readonly #config: ReaderConfig;
  readonly #running = new Subscription();
  /** He knows all up to here, but for what of a snapshot is to come. */
  #since: number;
  /** What of a snapshot is to come. */
  #keys: Iterator<string> | undefined;
  /** Whether he has been told all that there was at one moment; what is told before, of a snapshot, is no place to go on from. */
  #isLive = false;
  #isSnapshot = false;
  /** Lets go of what has changed since a snapshot began, which may be more than the history has: he would never come to its end. */
  #letGo: (() => void) | undefined;
  #target = 0;
  #nextAt = 0;
  /** What of an event is to be told yet. */
  #rest = '';
  #statusTold = '';
  #idTold = 0;
  #isBlocked = false;
  #isGone = false;
  #due: Subscription | undefined;
  #stall: Subscription | undefined;
  /** The next turn, in which the snapshot goes on. */
  #turn: Subscription | undefined;

  constructor(config: ReaderConfig) {
    this.#config = config;
    this.#since = config.since ?? -1; // before everything: what was told of no change is not in the log
  }

  start(): void {
    const { feed, scheduler, heartbeatMs } = this.#config;
    this.#running.add(feed.news$.subscribe({ next: () => this.#wake(), complete: () => this.end() }));
    this.#running.add(quietTimer(heartbeatMs, scheduler).pipe(repeat()).subscribe(() => this.#beat()));
    this.#pump();
  }

  /** The sink takes more. */
  drained(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#stall?.unsubscribe();
    if (this.#config.rate === Infinity) this.#target = this.#config.feed.log.head;
    this.#pump();
    this.#wake();
  }

  /** Tells what there is to tell, and that it is the last. Who is behind is cut, and will find out. */
  end(): void {
    this.#target = this.#config.feed.log.head;
    if (this.#pump()) {
      this.#config.sink.end(eventText('closed', '{}'));
      this.gone();
    } else this.cut();
  }

  cut(): void {
    if (this.#isGone) return;
    this.#config.sink.cut();
    this.gone();
  }

  /** He is not there any more. */
  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    for (const running of [this.#running, this.#due, this.#stall, this.#turn]) running?.unsubscribe();
    this.#letGo?.();
    this.#config.onGone();
  }

  #wake(): void {
    const { feed, rate, scheduler } = this.#config;
    const hasNews = this.#since < feed.log.head || this.#statusTold !== feed.status;
    if (this.#isBlocked || this.#isGone || this.#due?.closed === false || !hasNews) return;
    const run = (): void => {
      this.#due?.unsubscribe();
      this.#target = feed.log.head;
      if (rate !== Infinity) this.#nextAt = scheduler.now() + 1_000 / rate;
      this.#pump();
    };
    const waitMs = rate === Infinity ? 0 : Math.min(this.#nextAt - scheduler.now(), LONGEST_MS);
    if (waitMs > 0) this.#due = quietTimer(waitMs, scheduler).subscribe(run);
    else run();
  }

  /** Tells what there is, as far as it is taken; returns whether that was all. What goes wrong with it is this reader's end, and no other's. */
  #pump(): boolean {
    const { sink, report } = this.#config;
    if (this.#isBlocked || this.#isGone) return false;
    try {
      for (;;) {
        if (this.#rest === '') this.#rest = this.#next();
        if (this.#rest === '') break;
        const piece = pieceOf(this.#rest);
        this.#rest = this.#rest.slice(piece.length);
        if (!sink.write(piece)) {
          this.#block();
          return false;
        }
        if (this.#rest === '' && this.#keys !== undefined) break;
      }
      if (this.#keys !== undefined) this.#goOnNextTurn();
      return this.#keys === undefined;
    } catch (error) {
      this.cut();
      report(error);
      return false;
    }
  }

  #block(): void {
    const { stallMs, scheduler } = this.#config;
    this.#isBlocked = true;
    this.#stall = quietTimer(stallMs, scheduler).subscribe(() => this.cut());
  }

  #goOnNextTurn(): void {
    this.#turn?.unsubscribe();
    this.#turn = nextTurn(this.#config.scheduler).subscribe(() => this.#pump());
  }

  /** The next text to be told; empty: there is none by now. */
  #next(): string {
    const { feed } = this.#config;
    if (this.#since < feed.log.floor) return this.#begin();
    const entries = this.#nextEntries();
    return entries === '' && this.#keys === undefined ? this.#nextChanges() : entries;
  }

  /** What he missed is not known: he is told everything there is, and then what changed meanwhile. */
  #begin(): string {
    const { feed } = this.#config;
    const { log, store } = feed;
    this.#letGo?.();
    this.#letGo = feed.hold();
    this.#since = log.head;
    this.#keys = store.keys()[Symbol.iterator]();
    this.#isSnapshot = true;
    this.#isLive = false;
    return eventText('reset', '{}');
  }

  /** The next entries of a snapshot, as many as one event has; of keys that are looked at in vain, no more than a turn may take. */
  #nextEntries(): string {
    const { feed, prefix } = this.#config;
    const texts: string[] = [];
    let length = 0;
    for (let looked = 0; this.#keys !== undefined && length < EVENT_LENGTH && looked < KEYS_A_TURN; looked++) {
      const next = this.#keys.next();
      if (next.done === true) {
        this.#keys = undefined;
        break;
      }
      const json = next.value.startsWith(prefix) ? feed.store.jsonOf(next.value) : undefined;
      if (json === undefined) continue;
      const text = `[${JSON.stringify(next.value)},${json}]`;
      texts.push(text);
      length += text.length;
    }
    return texts.length === 0 ? '' : eventText('entries', `[${texts.join(',')}]`);
  }

  #nextChanges(): string {
    const { feed, prefix, rate, scheduler } = this.#config;
    const target = this.#isLive ? this.#target : feed.log.head;
    let told = '';
    if (this.#since < target) {
      const { text, upTo } = feed.stretch(this.#since, target, prefix);
      this.#since = upTo;
      if (text !== '') told = eventText('changes', `[${text}]`, this.#isSnapshot ? undefined : this.#id());
      if (upTo < target) return told;
    }
    if (this.#statusTold !== feed.status) told += eventText('status', (this.#statusTold = feed.status));
    if (this.#isLive) return told;
    this.#isLive = true;
    this.#isSnapshot = false;
    this.#letGo?.();
    this.#letGo = undefined;
    if (rate !== Infinity) this.#nextAt = scheduler.now() + 1_000 / rate;
    return told + eventText('live', '{}', this.#id());
  }

  #id(): string {
    this.#idTold = this.#since;
    return this.#config.feed.idOf(this.#since);
  }

  /** Behind a filter much may have changed of which he was not told. */
  #beat(): void {
    if (this.#isBlocked) return;
    const hasMoved = this.#isLive && this.#since > this.#idTold;
    if (!this.#config.sink.write(heartbeatText(hasMoved ? this.#id() : undefined))) this.#block();
  }
}

/** The beginning of `text`: what is told of it at once, so that who takes a large value slowly still takes something. No character is cut in two. */
function pieceOf(text: string): string {
  const last = text.charCodeAt(EVENT_LENGTH - 1);
  const isHalf = last >= 0xd800 && last < 0xdc00;
  return text.slice(0, isHalf ? EVENT_LENGTH + 1 : EVENT_LENGTH);
}
