import { PersistifyError, ProviderError } from './errors.ts';
import type { BatchResult } from './mutation.ts';

/** What came out of a provider, as an error of this library; what is none of ours counts as `halt`. */
export function providerFailure(error: unknown): PersistifyError {
  if (error instanceof PersistifyError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ProviderError(message, { kind: 'halt', outcomeUnknown: true, cause: error });
}

/** Whether another attempt can help. */
export function isRetryable(error: unknown): boolean {
  return error instanceof ProviderError && error.kind === 'retry';
}

/** @throws ProviderError if a provider's answer to a batch of `count` mutations is none: one of a user's own may answer anything. */
export function checkResult(result: unknown, count: number): BatchResult {
  if (isBatchResult(result, count)) return result;
  throw new ProviderError('The provider did not answer write() with { version, leftOut }: a whole number, and the places of the mutations that it left out.', {
    kind: 'halt',
    outcomeUnknown: true,
  });
}

function isBatchResult(result: unknown, count: number): result is BatchResult {
  if (typeof result !== 'object' || result === null || !('version' in result) || !('leftOut' in result)) return false;
  const { version, leftOut } = result;
  return Number.isSafeInteger(version) && Array.isArray(leftOut) && leftOut.every((place) => isPlace(place, count));
}

function isPlace(leftOut: unknown, count: number): boolean {
  if (typeof leftOut !== 'object' || leftOut === null || !('index' in leftOut)) return false;
  const { index } = leftOut;
  return typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < count;
}
