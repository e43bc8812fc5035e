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
 * What is pending, the sink, and what it was given. A letter of the source becomes pending and closes a batch; `!` closes
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
        if (letter !== '!') this.pending += letter;
      }),
      writeBatches<TestBatch, unknown>({
        takeBatch: () => this.#take(),
        write: (batch) => {
          this.written.push(batch);
          const answer = left.shift();
          if (answer === undefined) throw new Error('one write too many');
          return answer();
        },
        retryable: (error) => error === 'passing',
        maxAttempts: 3,
        delayMs: 4,
        maxDelayMs: 100,
        probeMs: 1_000,
        random: () => 1 - Number.EPSILON / 2, // so that each wait takes its whole bound
        scheduler: timers,
        pause$: of(undefined),
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
  describe('with a sink that is slow', () => {
    it(
      'writes one batch at a time; what gathers meanwhile becomes one larger batch',
      marbles((at) => {
        const { saved } = answersOf(at);
        const scene = new Scene(at, at.hot('a-bc-d------'), [saved('-----s'), saved('-----s')]);
        at.expectObservable(scene.drawn$, '30ms !').toBe('     S----(DS)-D');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'bcd']);
      }),
    );

    it(
      'takes what is pending only when the sink is ready for it',
      marbles((at) => {
        const { saved } = answersOf(at);
        const scene = new Scene(at, at.hot('a--b---'), [saved('------s'), saved('-s')]);
        at.hot('-----x').subscribe((letter) => (scene.pending += letter)); // pending, without closing a batch
        at.expectObservable(scene.drawn$, '30ms !').toBe('S-----(DS)');
        at.flush();
        expect(scene.writtenLetters).toEqual(['a', 'bx']);
      }, '(DS)'),
    );

    it(
      'asks for one more batch only, however many closings come while it is busy',
      marbles((at) => {
        const { saved } = answersOf(at);
        const scene = new Scene(at, at.hot('a(!!!!!!)!!!!'), [saved('20ms s')]);
        at.expectObservable(scene.drawn$, '90ms !').toBe('S 19ms D');
        at.flush();
        expect(scene.asked).toBe(2);
      }),
    );

    it(
      'is silent where nothing is pending',
      marbles((at) => {
        const scene = new Scene(at, at.hot('!--!'), []);
        at.expectObservable(scene.drawn$, '90ms !').toBe('-');
        at.flush();
        expect(scene.asked).toBe(2);
        expect(at.timers.open).toBe(0);
      }),
    );
  });
});
