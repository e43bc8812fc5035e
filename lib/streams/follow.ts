import { Observable } from 'rxjs';

/**
 * Gives each subscriber the current answer, and then every answer of `following$`, without the ones that are the same
 * (`Object.is`) as the one before. The subscription to `following$` is made before the current answer is given, so that
 * what a subscriber changes on hearing it is not missed; `hold` runs that as one step, after which what was held back comes.
 */
export function follow<T>(current: () => T, following$: Observable<T>, hold: (step: () => void) => void): Observable<T> {
  return new Observable((subscriber) => {
    hold(() => {
      let last = current();
      let isStarted = false;
      const following = following$.subscribe({
        next: (value) => {
          if (Object.is(value, last)) return;
          last = value;
          if (isStarted) subscriber.next(value);
        },
        complete: () => {
          if (isStarted) subscriber.complete();
        },
      });
      subscriber.add(following);
      isStarted = true;
      subscriber.next(last);
      if (following.closed) subscriber.complete();
    });
  });
}
