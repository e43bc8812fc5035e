import { DataLostError, type PersistifyError } from '../../errors.ts';

/** The newest commit of a session that was acknowledged. */
export interface Acknowledged {
  readonly number: number;
  readonly version: number;
  /** As `performance.now` tells it. */
  readonly at: number;
}

/** Of a writer that was silent for longer, storage may have forgotten the number. */
const memoryMs = 24 * 3_600_000;

/**
 * What a session was told to be saved, held against what storage says of it later: a server that was restored to an earlier state,
 * or replaced by one that lacked the last commits, has a lower number.
 */
export class OwnPast {
  readonly #report: (error: PersistifyError) => void;
  readonly #where: string;
  #acknowledged: Acknowledged | undefined;
  /** The number up to which a loss was told: a write and the feed may find the same one at the same time. */
  #toldUpTo = 0;
  #losses = 0;

  /** @param where the dictionary and its place, for the message. */
  constructor(where: string, report: (error: PersistifyError) => void) {
    this.#where = where;
    this.#report = report;
  }

  /** How many losses were found. What was read before the last of them is no more. */
  get losses(): number {
    return this.#losses;
  }

  get acknowledged(): Acknowledged | undefined {
    return this.#acknowledged;
  }

  acknowledge(number: number, version: number): void {
    this.#acknowledged = { number, version, at: performance.now() };
  }

  /**
   * @param acknowledged what was acknowledged when storage was asked.
   * @param settled the number that storage has for this session's writer.
   */
  check(acknowledged: Acknowledged | undefined, settled: number | undefined): void {
    if (acknowledged === undefined || acknowledged.number <= this.#toldUpTo || (settled ?? 0) >= acknowledged.number || performance.now() - acknowledged.at > memoryMs) return;
    this.#toldUpTo = acknowledged.number;
    this.#losses++;
    const message =
      `${this.#where} has lost commits that it had acknowledged: it once was at version ${acknowledged.version} of this process, and is not any more. ` +
      'It was restored to an earlier state, or failed over to a server that lacked the last commits. What is there now is shown; what is lost must be written again.';
    this.#report(new DataLostError(message, { version: acknowledged.version }));
  }
}
