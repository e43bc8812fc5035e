import { concat, defer, EMPTY, map, NEVER, of, Subject, takeUntil, tap, timer, type Observable, type ObservableInput } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { writeBatches, type BetweenBatches, type WriteConfig, type WriteEvent } from '../../lib/streams/write-batches.ts';
import { marbles, type Marbles } from './marbles.ts';

interface TestBatch {
  readonly letters: string;
}

type Event = WriteEvent<TestBatch, unknown>;

/** As drawn: Started, to be Retried, Failed for this series, Done. */
const letterOf = (event: Event): string => (event.type === 'started' ? 'S' : event.type === 'saved' ? 'D' : event.willRetry ? 'R' : 'F');

/**
 * What is pending, the sink, and what it was given. A letter of the source becomes pending and closes a batch; `/` closes
 * one without adding to it.
 */
class Scene {
  pending = '';
  asked = 0;
  readonly written: TestBatch[] = [];
  readonly events: Event[] = [];
  readonly drawn$: Observable<string>;

  constructor({ timers }: Marbles, closings$: Observable<string>, answers: readonly (() => ObservableInput<unknown>)[], config: Partial<WriteConfig<TestBatch, unknown>> = {}) {
    const left = [...answers];
    this.drawn$ = closings$.pipe(
      tap((letter) => {
        if (letter !== '/') this.pending += letter;
      }),
      writeBatches<TestBatch, unknown>({
        takeBatch: () => this.#take(),
        write: (batch) => {
          this.written.push(batch);
          const answer = left.shift();
          if (answer === undefined) throw new Error('one write too many');
          return answer();
        },
        retryable: (error) => String(error).endsWith('passing'),
        maxAttempts: 3,
        delayMs: 4,
        maxDelayMs: 100,
        probeMs: 1_000,
        random: () => 1 - Number.EPSILON / 2, // so that each wait takes its whole bound
        scheduler: timers,
        pause$: timer(1, timers), // so that two events never share a moment
        between$: NEVER,
        ...config,
      }),
      tap((event) => this.events.push(event)),
      map(letterOf),
    );
  }

  get writtenLetters(): string[] {
    return this.written.map(({ letters }) => letters);
  }

  #take(): TestBatch | undefined {
    this.asked++;
    const letters = this.pending;
    this.pending = '';
    return letters === '' ? undefined : { letters };
  }
}

/** The answer of a sink that fails for a while, for good, or not at all. */
const answersOf = ({ cold }: Marbles) => ({
  passing: (drawn: string) => () => cold(drawn, {}, 'passing'),
  lasting: (drawn: string) => () => cold(drawn, {}, 'lasting'),
  saved: (drawn: string) => () => cold(drawn),
});

describe('writeBatches', () => {
  describe('to a slow sink', () => {
    it(
      'writes one batch at a time, and what gathers meanwhile becomes one larger batch',
      marbles((at) => {
        const { saved } = answersOf(at);
        const scene = new Scene(at, at.hot('             a-bc-d------'), [saved('-----s'), saved('-----s')]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('S----DS----D');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'bcd']);
      }),
    );

    it(
      'takes what is pending only when the sink is ready for it',
      marbles((at) => {
        const { saved } = answersOf(at);
        const scene = new Scene(at, at.hot('             a--b-----'), [saved('------s'), saved('-s')]);
        at.hot('                                         -----x---').subscribe((letter) => (scene.pending += letter));
        at.expectObservable(scene.drawn$, '30ms !').toBe('S-----DSD');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'bx']);
      }),
    );

    it(
      'asks for one more batch only, however many close while it is busy',
      marbles((at) => {
        const { saved } = answersOf(at);
        const scene = new Scene(at, at.hot('a(//////)////'), [saved('20ms s')]);
        at.expectObservable(scene.drawn$, '90ms !').toBe('S 19ms D');
        at.flush();
        expect(scene.asked).toBe(2);
      }),
    );

    it(
      'is silent where nothing is pending',
      marbles((at) => {
        const scene = new Scene(at, at.hot('/--/'), []);
        at.expectObservable(scene.drawn$, '90ms !').toBe('-');
        at.flush();
        expect(scene.asked).toBe(2);
      }),
    );

    it(
      'tells of a saved batch with its result, its attempts, and the time from the first of them',
      marbles((at) => {
        const { passing, saved } = answersOf(at);
        const scene = new Scene(at, at.hot('--a'), [passing('-#'), saved('---s')]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('--SR------D');
        at.flush();
        expect(scene.events.at(-1)).toEqual({ type: 'saved', batch: { letters: 'a' }, result: 's', attempts: 2, durationMs: 8 });
      }),
    );

    it(
      'writes what the receiver of an event adds at once',
      marbles((at) => {
        const { saved } = answersOf(at);
        const closings$ = new Subject<string>();
        const scene = new Scene(at, closings$, [saved('--s'), saved('--s')]);
        at.hot('a').subscribe(closings$);
        const added$ = scene.drawn$.pipe(tap((letter) => letter === 'D' && scene.written.length === 1 && closings$.next('b')));
        at.expectObservable(added$, '30ms !').toBe('S-DS-D');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'b']);
      }),
    );
  });

  describe('with a failure that passes', () => {
    it(
      'tries the same batch again with backoff',
      marbles((at) => {
        const { passing, saved } = answersOf(at);
        const scene = new Scene(at, at.hot('a'), [passing('-#'), passing('-#'), saved('-s')]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('SR----R--------D'); // 4, then 8
        at.flush();
        expect(scene.written).toHaveLength(3);
        expect(new Set(scene.written).size).toBe(1);
      }),
    );

    it(
      'tells of each failure: which attempt, of how many, and how long until the next',
      marbles((at) => {
        const { passing } = answersOf(at);
        const scene = new Scene(at, at.hot('a'), [passing('-#'), passing('-#')], { maxAttempts: 2 });
        at.expectObservable(scene.drawn$, '30ms !').toBe('SR----F');
        at.flush();
        const batch = { letters: 'a' };
        expect(scene.events.slice(1)).toEqual([
          { type: 'failed', batch, error: 'passing', attempt: 1, maxAttempts: 2, willRetry: true, delayMs: 4 },
          { type: 'failed', batch, error: 'passing', attempt: 2, maxAttempts: 2, willRetry: false, delayMs: 0 },
        ]);
      }),
    );

    it(
      'keeps what comes during a wait, neither lost nor mixed with the batch that is tried again',
      marbles((at) => {
        const { passing, saved } = answersOf(at);
        const scene = new Scene(at, at.hot('             a-bcd-----'), [passing('-#'), saved('-s'), saved('-s')]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('SR----DSD');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'a', 'bcd']);
      }),
    );
  });

  describe('when the attempts are spent', () => {
    it(
      'keeps the batch at the head, and a flush writes that very batch again',
      marbles((at) => {
        const { lasting, saved } = answersOf(at);
        const scene = new Scene(at, at.hot('             a---/'), [lasting('-#'), saved('-s')]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('SF--SD');
        at.flush();
        expect(scene.written[1]).toBe(scene.written[0]);
      }),
    );

    it(
      'spends them at once on a failure that another attempt cannot help',
      marbles((at) => {
        const { lasting } = answersOf(at);
        const scene = new Scene(at, at.hot('a'), [lasting('-#')], { maxAttempts: 3 });
        at.expectObservable(scene.drawn$, '30ms !').toBe('SF');
        at.flush();
        expect(scene.events.at(-1)).toMatchObject({ error: 'lasting', attempt: 1, maxAttempts: 3, willRetry: false, delayMs: 0 });
      }),
    );

    it(
      'tries the head again when the next batch closes, and writes that one after it, alone',
      marbles((at) => {
        const { lasting, saved } = answersOf(at);
        const scene = new Scene(at, at.hot('             a---b'), [lasting('-#'), saved('-s'), saved('-s')]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('SF--SDSD');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'a', 'b']);
      }),
    );

    it(
      'lets everything gather behind the head into one batch, as long as it cannot be settled',
      marbles((at) => {
        const { lasting, saved } = answersOf(at);
        const scene = new Scene(at, at.hot('             a---b---c'), [lasting('-#'), lasting('-#'), saved('-s'), saved('-s')]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('SF--SF--SDSD');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'a', 'a', 'bc']);
      }),
    );

    it(
      'makes a whole new series of attempts each time it is asked, and counts from one',
      marbles((at) => {
        const { passing } = answersOf(at);
        const scene = new Scene(at, at.hot('             a---------/'), [passing('-#'), passing('-#'), passing('-#'), passing('-#')], { maxAttempts: 2 });
        at.expectObservable(scene.drawn$, '30ms !').toBe('SR----F---SR----F');
        at.flush();
        expect(scene.events.flatMap((event) => (event.type === 'failed' ? [event.attempt] : []))).toEqual([1, 2, 1, 2]);
      }),
    );

    it(
      'probes the head by itself after a while',
      marbles((at) => {
        const { lasting, saved } = answersOf(at);
        const scene = new Scene(at, at.hot('a'), [lasting('-#'), saved('-s')], { probeMs: 10 });
        at.expectObservable(scene.drawn$, '90ms !').toBe('SF---------SD');
        at.flush();
        expect(scene.written[1]).toBe(scene.written[0]);
      }),
    );

    it(
      'probes with one attempt, again and again while it fails',
      marbles((at) => {
        const { lasting, passing, saved } = answersOf(at);
        const scene = new Scene(at, at.hot('a'), [lasting('-#'), passing('-#'), passing('-#'), saved('-s')], { probeMs: 10 });
        at.expectObservable(scene.drawn$, '90ms !').toBe('SF 9ms SF 9ms SF 9ms SD');
      }),
    );

    it(
      'writes what gathered behind the head once a probe has settled it, with all attempts',
      marbles((at) => {
        const { lasting, passing, saved } = answersOf(at);
        const scene = new Scene(at, at.hot('a'), [lasting('-#'), saved('-s'), passing('-#'), saved('-s')], { probeMs: 10 });
        at.hot('---b').subscribe((letter) => (scene.pending += letter)); // pending, while no batch closes
        at.expectObservable(scene.drawn$, '90ms !').toBe('SF 9ms SDSR----D');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'a', 'b', 'b']);
      }),
    );

    it(
      'stops probing once the head is settled',
      marbles((at) => {
        const { lasting, saved } = answersOf(at);
        const timers: number[] = [];
        const scene = new Scene(at, at.hot('             a---/--a'), [lasting('-#'), saved('-s'), saved('-s')], { probeMs: 10 });
        at.hot('                                         ---t--------t').subscribe(() => timers.push(at.timers.open));
        at.expectObservable(scene.drawn$, '90ms !').toBe('SF--SD-SD');
        at.flush();
        expect(timers).toEqual([1, 0]);
      }),
    );

    it(
      'does not probe beside a series that is under way, and waits its whole time after it',
      marbles((at) => {
        const { lasting, passing, saved } = answersOf(at);
        const answers = [lasting('-#'), passing('-#'), passing('-#'), saved('-s'), saved('-s')];
        const scene = new Scene(at, at.hot('             a--b'), answers, { maxAttempts: 2, delayMs: 20, probeMs: 10 });
        at.expectObservable(scene.drawn$, '90ms !').toBe('SF-SR 20ms F 9ms SDSD');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'a', 'a', 'a', 'b']);
      }),
    );
  });

  describe('between two batches', () => {
    it(
      'pauses, so that others get their turn',
      marbles((at) => {
        const { saved } = answersOf(at);
        const scene = new Scene(at, at.hot('             ab------'), [saved('--s'), saved('--s')], { pause$: timer(3, at.timers) });
        at.expectObservable(scene.drawn$, '30ms !').toBe('S-D--S-D');
      }),
    );

    it(
      'does not pause before a batch that comes alone',
      marbles((at) => {
        const { saved } = answersOf(at);
        const scene = new Scene(at, at.hot('             a---------b'), [saved('--s'), saved('--s')], { pause$: timer(3, at.timers) });
        at.expectObservable(scene.drawn$, '30ms !').toBe('S-D-------S-D');
      }),
    );

    it(
      'does what it is asked to, when no batch is under way, while what comes meanwhile waits',
      marbles((at) => {
        const { saved } = answersOf(at);
        const asked = between(at, '---|');
        const scene = new Scene(at, at.hot('             a-b------'), [saved('--s'), saved('-s')], { between$: at.hot('-w').pipe(map(() => asked.work)) });
        at.expectObservable(scene.drawn$, '30ms !').toBe('S-D---SD'); // saved at 2, paused until 3, at work until 6
        at.flush();
        expect(asked.told).toEqual([[3, true]]);
        expect(scene.writtenLetters).toEqual(['a', 'b']);
      }),
    );

    it(
      'does it at once where nothing is under way',
      marbles((at) => {
        const asked = between(at, '|');
        const scene = new Scene(at, at.hot('-'), [], { between$: at.hot('--w').pipe(map(() => asked.work)) });
        at.expectObservable(scene.drawn$, '30ms !').toBe('-');
        at.flush();
        expect(asked.told).toEqual([[2, true]]);
      }),
    );

    it(
      'tries the head once more before, and says that it is settled',
      marbles((at) => {
        const { lasting, saved } = answersOf(at);
        const asked = between(at, '|');
        const scene = new Scene(at, at.hot('             a-----'), [lasting('-#'), saved('-s')], { between$: at.hot('----w').pipe(map(() => asked.work)) });
        at.expectObservable(scene.drawn$, '30ms !').toBe('SF--SD');
        at.flush();
        expect(asked.told).toEqual([[6, true]]);
      }),
    );

    it(
      'says so if the head could not be settled',
      marbles((at) => {
        const { lasting } = answersOf(at);
        const asked = between(at, '|');
        const scene = new Scene(at, at.hot('             a-----'), [lasting('-#'), lasting('-#')], { between$: at.hot('----w').pipe(map(() => asked.work)) });
        at.expectObservable(scene.drawn$, '30ms !').toBe('SF--SF');
        at.flush();
        expect(asked.told).toEqual([[6, false]]);
      }),
    );
  });

  describe('at the end', () => {
    it(
      'writes what is left and completes after it',
      marbles((at) => {
        const { saved } = answersOf(at);
        const scene = new Scene(at, at.hot('       ab|------'), [saved('-----s'), saved('-s')]);
        at.expectObservable(scene.drawn$).toBe('   S----DSD|');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'b']);
      }),
    );

    it(
      'completes with its source where nothing is under way, be there more work between batches or not',
      marbles((at) => {
        at.expectObservable(new Scene(at, at.hot('--|'), [], { between$: NEVER }).drawn$).toBe('--|');
      }),
    );

    it(
      'makes one more series for the head if the source ends with an emission, and completes all the same; no probe follows',
      marbles((at) => {
        const { lasting } = answersOf(at);
        const scene = new Scene(at, at.hot('       a---(/|)'), [lasting('-#'), lasting('-#')], { probeMs: 10 });
        at.expectObservable(scene.drawn$).toBe('   SF--SF|');
        at.flush();
        expect(at.timers.open).toBe(0);
      }),
    );

    it(
      'does not wait for the probe',
      marbles((at) => {
        const { lasting } = answersOf(at);
        const scene = new Scene(at, at.hot('       a---|'), [lasting('-#')], { probeMs: 10 });
        at.expectObservable(scene.drawn$).toBe('   SF--|');
        at.flush();
        expect(at.timers.open).toBe(0);
      }),
    );

    it(
      'passes on an error of its source, and drops the write',
      marbles((at) => {
        const sink$ = at.cold('-----s');
        at.expectObservable(new Scene(at, at.hot('a-#'), [() => sink$]).drawn$).toBe('S-#');
        at.expectSubscriptions(sink$.subscriptions).toBe('^-!');
      }),
    );
  });

  describe('with a write() that is not as it should be', () => {
    it(
      'takes one that throws for one that failed',
      marbles((at) => {
        const fault = new Error('thrown');
        const scene = new Scene(at, at.hot('a---/'), [
          () => {
            throw fault;
          },
          answersOf(at).saved('-s'),
        ]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('(SF)SD');
        at.flush();
        expect(scene.events[1]).toMatchObject({ error: fault, attempt: 1, willRetry: false });
      }),
    );

    it(
      'tries again after one that throws what may pass',
      marbles((at) => {
        const throwing = (): never => {
          throw new Error('passing');
        };
        const scene = new Scene(at, at.hot('a'), [throwing, answersOf(at).saved('-s')]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('(SR)-D');
      }),
    );

    it(
      'takes one that ends without a result for one that failed',
      marbles((at) => {
        const scene = new Scene(at, at.hot('a'), [() => EMPTY]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('(SF)');
        at.flush();
        expect(scene.events[1]).toMatchObject({ error: new Error('write() ended without a result.') });
      }),
    );

    it(
      'takes the first result of one that gives several',
      marbles((at) => {
        const sink$ = at.cold('-s-s-s');
        at.expectObservable(new Scene(at, at.hot('a'), [() => sink$]).drawn$, '30ms !').toBe('SD');
        at.expectSubscriptions(sink$.subscriptions).toBe('^!');
      }),
    );

    it(
      'makes no second attempt beside one that never settles',
      marbles((at) => {
        const scene = new Scene(at, at.hot('a--b--/-/'), [() => NEVER], { probeMs: 10 });
        at.expectObservable(scene.drawn$, '900ms !').toBe('S');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a']);
        expect(scene.pending).toBe('b');
      }),
    );
  });

  describe('unsubscribed from', () => {
    it(
      'during a write: ends that one, its source and what asks for work between batches',
      marbles((at) => {
        const closings$ = at.hot('a--b');
        const between$ = at.hot<BetweenBatches>('-');
        const sink$ = at.cold('-----s');
        at.expectObservable(new Scene(at, closings$, [() => sink$], { between$ }).drawn$, '----!').toBe('S---');
        at.expectSubscriptions(closings$.subscriptions).toBe('^---!');
        at.expectSubscriptions(between$.subscriptions).toBe('^---!');
        at.expectSubscriptions(sink$.subscriptions).toBe('^---!');
      }),
    );

    it(
      'during a wait: tries no more, and leaves no timer',
      marbles((at) => {
        const scene = new Scene(at, at.hot('a'), [answersOf(at).passing('-#')]);
        at.expectObservable(scene.drawn$, '---!').toBe('SR-');
        at.flush();
        expect(at.timers.open).toBe(0);
      }),
    );

    it(
      'while the attempts are spent: probes no more, and leaves no timer',
      marbles((at) => {
        const scene = new Scene(at, at.hot('a'), [answersOf(at).lasting('-#')], { probeMs: 10 });
        at.expectObservable(scene.drawn$, '---!').toBe('SF-');
        at.flush();
        expect(at.timers.open).toBe(0);
      }),
    );

    it(
      'by a receiver, on any event',
      marbles((at) => {
        const { passing, lasting, saved } = answersOf(at);
        for (const event of ['S', 'R', 'F', 'D']) {
          const answers = event === 'D' ? [saved('-s')] : event === 'F' ? [lasting('-#')] : [passing('-#')];
          const stop$ = new Subject<undefined>();
          const scene = new Scene(at, at.hot('a--b'), answers, { probeMs: 10 });
          scene.drawn$.pipe(takeUntil(stop$)).subscribe((letter) => letter === event && stop$.next(undefined));
          at.flush();
          expect(letterOf(scene.events.at(-1) ?? { type: 'started', batch: { letters: '' } })).toBe(event);
          expect(at.timers.open).toBe(0);
        }
      }),
    );
  });

  it(
    'subscribes to its source once, and hears also what that emits at once',
    marbles((at) => {
      let subscriptions = 0;
      const closings$ = defer(() => {
        subscriptions++;
        return concat(of('a'), NEVER);
      });
      at.expectObservable(new Scene(at, closings$, [answersOf(at).saved('-s')]).drawn$, '30ms !').toBe('SD');
      at.flush();
      expect(subscriptions).toBe(1);
    }),
  );

  it(
    'keeps a state of its own for each subscriber',
    marbles((at) => {
      const { lasting, saved } = answersOf(at);
      const scene = new Scene(at, at.cold('a'), [lasting('-#'), saved('-s')]);
      at.expectObservable(scene.drawn$, '^--!').toBe('SF');
      at.expectObservable(scene.drawn$, '---------^---!').toBe('---------SD');
    }),
  );
});

/** Work between two batches, and when it was told what of the head. */
function between({ cold, timers }: Marbles, drawn: string): { readonly told: (readonly [number, boolean])[]; readonly work: BetweenBatches } {
  const told: (readonly [number, boolean])[] = [];
  return {
    told,
    work: (settled) => {
      told.push([timers.now(), settled]);
      return cold(drawn);
    },
  };
}
