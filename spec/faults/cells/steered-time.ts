import { asyncScheduler, VirtualAction, VirtualTimeScheduler, type SchedulerAction, type SchedulerLike, type Subscription } from 'rxjs';

/** Time stands still until it is advanced; turns of the event loop go on as ever. */
export class SteeredTime implements SchedulerLike {
  readonly #virtual = new VirtualTimeScheduler(VirtualAction, 0);

  constructor(startMs: number) {
    this.#virtual.frame = startMs;
  }

  now(): number {
    return this.#virtual.frame;
  }

  schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delay = 0, state?: T): Subscription {
    return (delay > 0 ? this.#virtual : asyncScheduler).schedule(work, delay, state);
  }

  /** Everything that is due by then happens. */
  advance(ms: number): void {
    const until = this.#virtual.frame + ms;
    this.#virtual.maxFrames = until;
    this.#virtual.flush();
    this.#virtual.frame = until;
  }
}
