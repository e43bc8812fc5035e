import { repeat, Subscription, type SchedulerLike } from 'rxjs';

import { quietTimer } from '../streams/quiet-timer.ts';
import { eventText, heartbeatText } from './event-text.ts';
import { EVENT_LENGTH, type StoreFeed } from './store-feed.ts';

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
  #target = 0;
  #nextAt = 0;
  #statusTold = '';
  #idTold = 0;
  #isBlocked = false;
  #isGone = false;
  #due: Subscription | undefined;
  #stall: Subscription | undefined;

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
    if (this.#isGone) return;
    this.#target = this.#config.feed.log.head;
    this.#pump();
    if (this.#isBlocked) this.cut();
    else {
      this.#config.sink.end(eventText('closed', '{}'));
      this.gone();
    }
  }

  cut(): void {
    this.#config.sink.cut();
    this.gone();
  }

  /** He is not there any more. */
  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    for (const running of [this.#running, this.#due, this.#stall]) running?.unsubscribe();
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
    const waitMs = rate === Infinity ? 0 : this.#nextAt - scheduler.now();
    if (waitMs > 0) this.#due = quietTimer(waitMs, scheduler).subscribe(run);
    else run();
  }

  /** Tells what there is, as far as it is taken. What goes wrong with it is this reader's end, and no other's. */
  #pump(): void {
    const { sink, report } = this.#config;
    if (this.#isBlocked) return;
    try {
      for (let text = this.#next(); text !== '' && !this.#isGone; text = this.#next()) {
        if (sink.write(text)) continue;
        this.#block();
        return;
      }
    } catch (error) {
      this.cut();
      report(error);
    }
  }

  #block(): void {
    const { stallMs, scheduler } = this.#config;
    this.#isBlocked = true;
    this.#stall = quietTimer(stallMs, scheduler).subscribe(() => this.cut());
  }

  /** The next text to be told; empty: there is none by now. */
  #next(): string {
    const { feed } = this.#config;
    if (this.#since < feed.log.floor) return this.#begin();
    const entries = this.#nextEntries();
    return entries === '' ? this.#nextChanges() : entries;
  }

  /** What he missed is not known: he is told everything there is, and then what changed meanwhile. */
  #begin(): string {
    const { log, store } = this.#config.feed;
    this.#since = log.head;
    this.#keys = store.keys()[Symbol.iterator]();
    this.#isSnapshot = true;
    this.#isLive = false;
    return eventText('reset', '{}');
  }

  #nextEntries(): string {
    const { feed, prefix } = this.#config;
    const texts: string[] = [];
    let length = 0;
    while (this.#keys !== undefined && length < EVENT_LENGTH) {
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
