import { LoadError, PersistifyError, ProviderError } from './errors.ts';
import type { BatchResult } from './mutation.ts';

/** What came out of a provider, as an error of this library; what is none of ours counts as `halt`. */
export function providerFailure(error: unknown): PersistifyError {
  if (error instanceof PersistifyError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ProviderError(message, { kind: 'halt', outcomeUnknown: true, cause: error });
}

/** Why something failed, as a sentence: a provider of a user's own may end its messages as it likes. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /[.!?…]$/.test(message) ? message : `${message}.`;
}

/** Whether another attempt can help. */
export function isRetryable(error: unknown): boolean {
  return error instanceof ProviderError && error.kind === 'retry';
}

/** @throws LoadError if what a provider opened is no session: one of a user's own may answer anything. */
export function checkSession(session: unknown, providerName: string): void {
  if (isSession(session)) return;
  throw new LoadError(`The provider ${providerName} did not answer open() with a session: an object with capabilities, and the methods load(), write() and close().`);
}

function isSession(session: unknown): boolean {
  if (typeof session !== 'object' || session === null) return false;
  if (!('capabilities' in session && 'load' in session && 'write' in session && 'close' in session)) return false;
  const { capabilities, load, write, close } = session;
  return typeof capabilities === 'object' && capabilities !== null && [load, write, close].every((method) => typeof method === 'function');
}

/** @throws ProviderError if a provider's answer to a batch of `count` mutations is none: one of a user's own may answer anything. */
export function checkResult(result: unknown, count: number): BatchResult {
  if (isBatchResult(result, count)) return result;
  throw new ProviderError('The provider did not answer write() with { version, leftOut }: a whole number, and of each mutation that it left out its index, the reason and a message.', {
    kind: 'halt',
    outcomeUnknown: true,
  });
}

function isBatchResult(result: unknown, count: number): result is BatchResult {
  if (typeof result !== 'object' || result === null || !('version' in result) || !('leftOut' in result)) return false;
  const { version, leftOut } = result;
  return typeof version === 'number' && Number.isSafeInteger(version) && version >= 0 && Array.isArray(leftOut) && leftOut.every((each) => isLeftOut(each, count));
}

/** A reason that is none must not pass for a refusal, by which memory would lose what may be stored. */
function isLeftOut(leftOut: unknown, count: number): boolean {
  if (typeof leftOut !== 'object' || leftOut === null || !('index' in leftOut && 'reason' in leftOut && 'message' in leftOut)) return false;
  const { index, reason, message } = leftOut;
  const isPlace = typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < count;
  return isPlace && (reason === 'refused' || reason === 'conflict') && typeof message === 'string';
}
