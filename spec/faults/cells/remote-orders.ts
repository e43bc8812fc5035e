import { ProviderError, type Failure } from 'rx-persistify';

import type { JournalRecord } from '../../crash/journal.ts';
import type { Place } from '../../crash/place.ts';
import type { Mood } from '../../crash/workload.ts';

/**
 * What a process is asked to do with its store; each order is answered once. `recover`: to wait until everything is saved.
 * `isDefault`: batches and retries are as a user has them who says nothing.
 */
export type Order =
  | { readonly type: 'open'; readonly place: Place; readonly seed: number; readonly mood: Mood; readonly isDefault?: boolean }
  | { readonly type: 'live'; readonly actions: number }
  | { readonly type: 'flush' }
  | { readonly type: 'recover'; readonly withinMs: number }
  | { readonly type: 'hurry'; readonly perSecond: number; readonly forMs: number }
  | { readonly type: 'close' };

/** What `errors$` told, or what an order failed with. */
export interface Told {
  readonly operation: Failure['operation'] | 'order';
  readonly code: string;
  readonly kind: string;
  readonly message: string;
  readonly fatal: boolean;
  readonly willRetry: boolean;
  readonly outcomeUnknown: boolean;
}

/** What the process tells: of what it applies and what was acknowledged; of failures; and how an order ended. */
export type Message =
  | { readonly type: 'record'; readonly record: JournalRecord }
  | { readonly type: 'told'; readonly told: Told }
  | { readonly type: 'answer'; readonly isDone: boolean; readonly failure?: Told; readonly numbers?: Readonly<Record<string, number>> };

export function toldOf({ operation, error, fatal, willRetry }: Failure): Told {
  return { ...factsOf(error), operation, fatal, willRetry };
}

/** What an order failed with. */
export function failureOfOrder(error: unknown): Told {
  return { ...factsOf(error), operation: 'order', fatal: true, willRetry: false };
}

/** What a provider said of a failure stands in the error, or in its cause. */
function factsOf(error: unknown): Pick<Told, 'code' | 'kind' | 'message' | 'outcomeUnknown'> {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'none';
  const said = error instanceof Error && error.cause instanceof ProviderError ? error.cause : error;
  if (said instanceof ProviderError) return { message, code, kind: said.kind, outcomeUnknown: said.outcomeUnknown };
  return { message, code, kind: 'none', outcomeUnknown: false };
}
