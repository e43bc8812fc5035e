/** Something with a deadline, kept in one number, as there may be millions of them. */
export interface Ending {
  /**
   * A deadline in whole milliseconds since 1970. Beyond that it tells how things stand: a little less than whole, the
   * deadline was moved and storage does not know yet; negative, it has passed and was counted; NaN, it is over and done with.
   */
  expiresAt: number;
}

/** Less than a clock tells apart, and more than a deadline before the year 2248 rounds away. */
const SLID = 2 ** -10;
/** The last millisecond of a `Date`. */
const LATEST = 8.64e15;

/** When `ending` ends, in milliseconds since 1970. */
export function deadlineOf({ expiresAt }: Ending): number {
  return Math.ceil(Math.abs(expiresAt));
}

/** Whether it has ended by `now`; what was counted as ended stays so, be the clock set back. */
export function hasEnded({ expiresAt }: { readonly expiresAt?: number }, now: number): boolean {
  return expiresAt !== undefined && !(expiresAt > now);
}

/** Whether the deadline was moved since storage was told. */
export function isSlid({ expiresAt }: Ending): boolean {
  return expiresAt !== Math.ceil(expiresAt);
}

/** `deadline`, as one that storage does not know yet; the same number where that is too far to be told apart. */
export function slidTo(deadline: number): number {
  return deadline - SLID;
}

/** The deadline that is `ttlMs` after `now`; `Infinity`: none. Never before its time, and later than the epoch. */
export function deadlineAfter(now: number, ttlMs: number): number {
  return ttlMs === Infinity ? Infinity : inRange(now + ttlMs);
}

/** A deadline as it came from storage or a sum, in whole milliseconds, positive and not beyond what a date tells. */
export function inRange(deadline: number): number {
  return Math.min(Math.max(Math.ceil(deadline), 1), LATEST);
}
