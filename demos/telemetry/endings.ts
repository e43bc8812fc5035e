import { fromEvent, map, merge, NEVER, take, timer, type Observable } from 'rxjs';

/** Why a run ends. */
export type Ending =
  | { readonly type: 'time'; readonly seconds: number }
  | { readonly type: 'signal'; readonly signal: Signal }
  /** Nobody reads the output any more, as with `| head`. */
  | { readonly type: 'output closed' };

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Signal = (typeof signals)[number];

/** By custom 128 and the signal's number, so that who started the program knows how it ended. */
const signalCodes: Readonly<Record<Signal, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** The first thing that ends the run. A second signal then ends the process at once, as signals do. */
export function awaitEnding(seconds: number | undefined): Observable<Ending> {
  process.stdout.on('error', () => undefined); // each further line fails, too, and would end the process before all is saved
  const time$ = seconds === undefined ? NEVER : timer(seconds * 1_000).pipe(map((): Ending => ({ type: 'time', seconds })));
  const signal$ = merge(...signals.map((signal) => fromEvent(process, signal).pipe(map((): Ending => ({ type: 'signal', signal })))));
  const closed$ = fromEvent(process.stdout, 'error').pipe(map((): Ending => ({ type: 'output closed' })));
  return merge(time$, signal$, closed$).pipe(take(1));
}

export function exitCodeOf(ending: Ending): number {
  return ending.type === 'signal' ? signalCodes[ending.signal] : 0;
}

export function describeEnding(ending: Ending): string {
  switch (ending.type) {
    case 'time':
      return `${ending.seconds} seconds are over`;
    case 'signal':
      return ending.signal;
    case 'output closed':
      return 'The output was closed';
  }
}
