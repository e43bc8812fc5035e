import { printUnsaved, type Closable } from './closing.ts';
import { checkExitOptions, readerOf, type FlushOnExitOptions } from './exit-options.ts';
import { ProcessEnd } from './process-end.ts';

/**
 * Has the program save and close `stores` before it ends: on SIGTERM and SIGINT, and when there is nothing left to do
 * (`beforeExit`). `stores` is one store or an iterable of them, read when the end comes, so that a Set may grow and shrink.
 *
 * Then all stores close at once: what was applied is saved, within one deadline, which also holds where a provider hangs.
 * A write that comes later throws `StoreClosedError`; while the stores are closing, that does not end the program where it
 * is not caught. What was not saved in time is reported, a line for each store if no `report` is given, and
 * `process.exitCode` becomes 1 unless it was set.
 *
 * A signal is then raised again with nobody listening, so that who started the program sees that it ended by it (in a shell
 * 128 and the signal's number). A second signal ends it at once, and what was not saved by then is reported; the same one
 * within 300 ms counts as the first, as npm hands on what the terminal has sent already.
 *
 * Where the program itself listens for the signal when it comes, it decides: its listeners are called at the same time,
 * the stores are closed, and no signal is raised. Let such a listener await `close` of its stores before it calls
 * `process.exit`, and if it still writes (requests that are under way), pass `signals: []` and close the stores when it is done.
 * A library counts as the program here: one that ends it only if nobody else listens (signal-exit) leaves the end to you.
 *
 * Not covered: `process.exit()`, an uncaught exception, SIGKILL and a loss of power, as nothing asynchronous can be done then;
 * what was acknowledged is safe all the same. Signals reach the main thread only.
 *
 * Returns what takes it back: nothing is listened for any more. An end that has begun goes on.
 *
 * @throws OptionsError
 * @example
 * const stores = persistify(jsonFile({ directory: './data' }));
 * const [prefs, sessions] = [await stores.open('prefs'), await stores.open('sessions')];
 * flushOnExit([prefs, sessions]);
 */
export function flushOnExit(stores: Closable | Iterable<Closable>, options: FlushOnExitOptions = {}): () => void {
  checkExitOptions(options);
  const { deadlineMs = 5_000, signals = ['SIGTERM', 'SIGINT'], report = printUnsaved } = options;
  const end = new ProcessEnd({ stores: readerOf(stores), deadlineMs, signals, report });
  return () => end.takeBack();
}
