import { OptionsError } from '../../errors.ts';
import { show } from '../../check-options.ts';

/** What can be saved when a page is put away, as a `Store` and a `Cache` can. */
export interface Flushable {
  /** Saves what is pending, and rejects if it cannot. */
  flush(): Promise<unknown>;
}

/**
 * Has `stores` begin to save what is pending as soon as the page is hidden or left: the user has gone to another tab or program, or
 * closes it, and it may never be shown again. `stores` is one store or an iterable of them, read each time, so that a Set may grow and
 * shrink; those that are closed are passed over. Where saving fails, `errors$` of the store tells it.
 *
 * A page that is hidden goes on to live, mostly, and the saving with it. One that is closed at once while it was shown may end before:
 * so keep `intervalMs` short, or await what must not be lost.
 *
 * Where there is no page, as in a worker or in Node, it does nothing. Returns what ends it.
 *
 * @throws OptionsError
 * @example
 * const prefs = await persistify(indexedDb()).open('prefs');
 * const stop = flushWhenHidden(prefs);
 */
export function flushWhenHidden(stores: Flushable | Iterable<Flushable>): () => void {
  check(stores);
  if (typeof document === 'undefined') return () => undefined;
  const flush = (): void => {
    for (const store of isFlushable(stores) ? [stores] : stores) store.flush().catch(() => undefined); // `errors$` has it
  };
  const flushIfHidden = (): void => {
    if (document.visibilityState === 'hidden') flush();
  };
  document.addEventListener('visibilitychange', flushIfHidden);
  globalThis.addEventListener('pagehide', flush); // some browsers leave a page without hiding it first
  return () => {
    document.removeEventListener('visibilitychange', flushIfHidden);
    globalThis.removeEventListener('pagehide', flush);
  };
}

function check(stores: unknown): void {
  if (isFlushable(stores)) return;
  const isIterable = typeof stores === 'object' && stores !== null && Symbol.iterator in stores;
  if (!isIterable) throw new OptionsError(`flushWhenHidden: the argument must be an open store or an iterable of open stores, such as [prefs, sessions], not ${show(stores)}.`);
}

function isFlushable(value: unknown): value is Flushable {
  return typeof value === 'object' && value !== null && 'flush' in value && typeof value.flush === 'function';
}
