import { retry, throwError, timer, type MonoTypeOperatorFunction, type SchedulerLike } from 'rxjs';

export interface BackoffConfig {
  /** The first attempt counts. */
  readonly maxAttempts: number;
  /** The bound of the first wait; it doubles with each attempt. */
  readonly delayMs: number;
  /** No bound grows beyond this. */
  readonly maxDelayMs: number;
  readonly scheduler: SchedulerLike;
  /** Whether another attempt can help. */
  readonly retryable: (error: unknown) => boolean;
  /** Told of each failure after which another attempt follows. */
  readonly onRetry: (error: unknown, attempt: number, delayMs: number) => void;
  /** From 0 up to 1, as `Math.random`. */
  readonly random: () => number;
}

/**
 * Subscribes to a failed source again after a wait of full jitter: anything from nothing to a bound that doubles.
 * Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Errors with the last error
 * when the attempts are spent, and at once with one that another attempt cannot help.
 */
export function backoff<T>(config: BackoffConfig): MonoTypeOperatorFunction<T> {
  const { maxAttempts, scheduler, retryable, onRetry } = config;
  return retry({
    count: maxAttempts - 1,
    delay: (error: unknown, attempt) => {
      if (!retryable(error)) return throwError(() => error);
      const delayMs = jitteredDelay(attempt, config);
      onRetry(error, attempt, delayMs);
      return timer(delayMs, scheduler);
    },
  });
}

/** The wait after the `attempt`-th failure, in whole milliseconds. */
export function jitteredDelay(attempt: number, { random, ...bounds }: Pick<BackoffConfig, 'delayMs' | 'maxDelayMs' | 'random'>): number {
  return Math.floor(random() * (longestDelay(attempt, bounds) + 1));
}

/** The bound of that wait. */
export function longestDelay(attempt: number, { delayMs, maxDelayMs }: Pick<BackoffConfig, 'delayMs' | 'maxDelayMs'>): number {
  // Beyond 2^53 the bound is no exact number, but it was capped long before.
  return Math.floor(Math.min(maxDelayMs, delayMs * 2 ** Math.min(attempt - 1, 52)));
}
