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

/** @throws ProviderError if a provider's answer to a batch of `count` mutations is none. */
export function checkResult(result: BatchResult, count: number): BatchResult {
  const answer: Partial<BatchResult> | null | undefined = result; // a provider of a user's own may answer anything
  const isAnswer =
    Number.isSafeInteger(answer?.version) &&
    Array.isArray(answer?.leftOut) &&
    result.leftOut.every(({ index }) => Number.isSafeInteger(index) && index >= 0 && index < count);
  if (isAnswer) return result;
  throw new ProviderError('The provider did not answer write() with { version, leftOut }: a whole number, and the places of the mutations that it left out.', {
    kind: 'halt',
    outcomeUnknown: true,
  });
}
