/** Who waits on each signal: one listener serves them all, as Node warns of a leak from the eleventh on. */
const listening = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `callback` once when `signal` aborts, or at once if it has. Returns what takes that back. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback();
    return () => undefined;
  }
  const callbacks = listening.get(signal) ?? listen(signal);
  const once = (): void => callback(); // the same callback may be there twice
  callbacks.add(once);
  return () => callbacks.delete(once);
}

function listen(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  listening.set(signal, callbacks);
  signal.addEventListener(
    'abort',
    () => {
      for (const callback of callbacks) callback();
      callbacks.clear();
    },
    { once: true },
  );
  return callbacks;
}

/** Settles as `waiting` does, or rejects when `signal` aborts before. Leaves nothing behind on a signal that lives long. */
export function unlessAborted<T>(waiting: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return waiting;
  return new Promise((resolve, reject) => {
    const leave = onAbort(signal, () => reject(abortReason(signal)));
    waiting.then(resolve, reject).finally(leave);
  });
}

/** What to reject with: the reason given, or an `AbortError`. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new DOMException('The waiting was aborted.', 'AbortError');
}
