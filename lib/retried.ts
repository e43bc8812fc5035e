import { defer, type Observable, type ObservableInput } from 'rxjs';

import { causeOf } from './loading.ts';
import { isRetryable } from './provider-failure.ts';
import type { Settings } from './settings.ts';
import { backoff } from './streams/backoff.ts';

/** What is asked of storage, as often as `withRetry` says where another attempt can help; only the last failure is heard of. */
export function retried<T>(ask: () => ObservableInput<T>, { retry, scheduler }: Settings): Observable<T> {
  return defer(ask).pipe(backoff({ ...retry, scheduler, random: Math.random, retryable: (error) => isRetryable(causeOf(error)), onRetry: () => undefined }));
}
