/** People look into a `.json` file of this size. */
const smallBytes = 1 << 20;
const mostLogs = 32;
const idleMs = 1_000;
/** What is so old is folded while writes go on. */
const latestMs = 5_000;
const firstPauseMs = 1_000;
const longestPauseMs = 60_000;

/** What a fold is decided by. */
export interface FoldState {
  readonly logBytes: number;
  readonly logCount: number;
  readonly jsonBytes: number;
  readonly isBlocked: boolean;
}

/**
 * When to fold: as soon as the logs exceed `logBytes` and the `.json` file, so that all folds together write no more than twice what
 * was written anyway; after a second without a commit a small file, so that people see it up to date, and logs of half its size; and
 * while commits go on, a small file five seconds after the first that it lacks, which writes no more than that file each five seconds.
 * Its timers do not keep the process alive.
 */
export class FoldSchedule {
  readonly #logBytes: number;
  readonly #state: () => FoldState;
  readonly #fold: () => Promise<void>;
  readonly #failed: (error: unknown) => void;
  #idle: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** Since when a commit waits for a fold, if one does. */
  #waitingSince: number | undefined;
  #pauseMs = 0;
  #notBefore = 0;
  #isAgain = false;
  #isStopped = false;

  /**
   * @param logBytes how large the logs may grow under a smaller `.json` file.
   * @param failed is told of the first failure of several in a row.
   */
  constructor(logBytes: number, state: () => FoldState, fold: () => Promise<void>, failed: (error: unknown) => void) {
    this.#logBytes = logBytes;
    this.#state = state;
    this.#fold = fold;
    this.#failed = failed;
  }

  /** To be called after each commit. */
  committed(): void {
    const { logBytes, logCount, jsonBytes } = this.#state();
    const isSmall = jsonBytes < smallBytes;
    const now = performance.now();
    this.#waitingSince ??= now;
    const isLate = isSmall && now - this.#waitingSince >= latestMs;
    if (isLate || logBytes > Math.max(this.#logBytes, jsonBytes) || logCount > mostLogs) this.#due();
    // Also behind a fold, for what is committed while it is under way.
    if (isSmall || logBytes > jsonBytes / 2) this.#whenIdle();
  }

  /** Folds now, or right after the fold that is under way. */
  soon(): void {
    this.#isAgain = this.#running !== undefined;
    this.#run();
  }

  /** No fold begins any more. @returns when the one under way is done. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#idle);
    clearTimeout(this.#retry);
    await this.#running;
  }

  #due(): void {
    if (performance.now() >= this.#notBefore) this.#run();
  }

  #whenIdle(): void {
    if (this.#isStopped) return;
    if (this.#idle === undefined) this.#idle = setTimeout(() => this.#rest(), idleMs).unref();
    else this.#idle.refresh();
  }

  /** No commit came for a while; but a fold may have come. */
  #rest(): void {
    if (this.#waitingSince !== undefined) this.#due();
  }

  #run(): void {
    if (this.#running !== undefined || this.#isStopped || this.#state().isBlocked) return;
    this.#waitingSince = undefined;
    this.#running = this.#fold().then(
      () => {
        this.#pauseMs = 0;
      },
      (error: unknown) => this.#postpone(error),
    ).then(() => {
      this.#running = undefined;
      if (!this.#isAgain) return;
      this.#isAgain = false;
      this.#run();
    });
  }

  /** The data is safe in the logs, and a full disk does not get better by being asked all the time. */
  #postpone(error: unknown): void {
    if (this.#pauseMs === 0) this.#failed(error);
    this.#pauseMs = Math.min(this.#pauseMs * 2 || firstPauseMs, longestPauseMs);
    this.#notBefore = performance.now() + this.#pauseMs;
    if (!this.#isStopped) this.#retry = setTimeout(() => this.#run(), this.#pauseMs).unref();
  }
}
