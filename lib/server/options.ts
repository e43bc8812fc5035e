import { asyncScheduler, type SchedulerLike } from 'rxjs';
import * as z from 'zod/mini';

import { aFunction, check, numberThat, object, ratePerSecond, timerMilliseconds } from '../check-options.ts';

/** What a request asks for. */
export interface Wanted {
  /** The name of the store. */
  readonly store: string;
  /** With what the keys begin; empty: all. */
  readonly prefix: string;
}

export interface FeedOptions {
  /**
   * Whether who asks may read what he asks for; asked for each connection, and so again after each one that broke. If not, the answer
   * is 403, or 401 where the request has neither `Authorization` nor a cookie; if it throws or rejects, 500, and `report` is told.
   * @default everyone may: who can reach the server
   */
  readonly authorize?: (request: Request, wanted: Wanted) => boolean | Promise<boolean>;
  /** The origins whose pages may read it besides its own: `'*'`, or such as `['https://example.org']`. @default none: no header of CORS */
  readonly cors?: '*' | readonly string[];
  /** How often each key is told of at most, a second, to one reader; he may ask for less. @default Infinity */
  readonly rate?: number;
  /**
   * How many changed keys are remembered of each store, so that who was away is told what he missed, and not everything. While somebody
   * is told everything, it may be as many as the store has. @default 100_000
   */
  readonly history?: number;
  /** How often a comment is sent, in milliseconds, by which readers know that the connection stands. @default 10_000 */
  readonly heartbeatMs?: number;
  /** A reader who does not even take 64 kB in so long, in milliseconds, while there is more for him, is cut. @default 30_000 */
  readonly stallMs?: number;
  /** Told what `authorize` threw, and of a value that could not be read. @default console.error */
  readonly report?: (error: unknown) => void;
  /** Where all time comes from; a test gives a virtual one. @default asyncScheduler */
  readonly scheduler?: SchedulerLike;
}

/** The options with every default filled in. */
export interface FeedSettings {
  readonly authorize: (request: Request, wanted: Wanted) => boolean | Promise<boolean>;
  readonly cors: '*' | readonly string[];
  readonly rate: number;
  readonly history: number;
  readonly heartbeatMs: number;
  readonly stallMs: number;
  readonly report: (error: unknown) => void;
  readonly scheduler: SchedulerLike;
}

const origins = z.custom<FeedSettings['cors']>((value: unknown) => value === '*' || (Array.isArray(value) && value.every(isOrigin)), "'*', or an array of origins such as 'https://example.org'");

const options = object({
  authorize: aFunction(),
  cors: z.optional(origins),
  rate: ratePerSecond(),
  history: numberThat((value) => value >= 1, 'a number of at least 1'),
  heartbeatMs: timerMilliseconds(),
  stallMs: timerMilliseconds(),
  report: aFunction(),
  scheduler: z.optional(z.custom<SchedulerLike>(isScheduler, 'an RxJS scheduler')),
});

/** @throws OptionsError */
export function settingsFrom(given: FeedOptions): FeedSettings {
  check(options, given, 'serveFeed');
  return {
    authorize: given.authorize ?? (() => true),
    cors: given.cors ?? [],
    rate: given.rate ?? Infinity,
    history: given.history ?? 100_000,
    heartbeatMs: given.heartbeatMs ?? 10_000,
    stallMs: given.stallMs ?? 30_000,
    report: given.report ?? ((error) => console.error('rx-persistify: the feed:', error)),
    scheduler: given.scheduler ?? asyncScheduler,
  };
}

/** As browsers send it: no path and no slash at its end, which would match nothing. */
function isOrigin(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value;
}

function isScheduler(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'now' in value && 'schedule' in value;
}
