import { Observable, Subject, type Subscription } from 'rxjs';

/** Gives each key's watchers what concerns their key. */
export interface KeyRoutes<T> {
  /** What concerns `key`, from now on. Completes with the source. */
  of(key: string): Observable<T>;
  /** Whether anybody watches `key`. */
  has(key: string): boolean;
  /** How many keys are watched. */
  readonly size: number;
}

/**
 * Routes each value to the watchers of its key at the cost of one look-up, however many keys are watched; a `filter` each
 * would cost a call a watcher. A value without a key goes to all. A route lives as long as someone watches it.
 */
export function routeByKey<T>(source$: Observable<T>, keyOf: (value: T) => string | undefined): KeyRoutes<T> {
  const routes = new Map<string, Subject<T>>();
  let subscription: Subscription | undefined;
  let completed = false;

  function connect(): void {
    subscription ??= source$.subscribe({
      next: (value) => {
        const key = keyOf(value);
        if (key !== undefined) routes.get(key)?.next(value);
        else for (const route of [...routes.values()]) route.next(value);
      },
      complete: () => {
        completed = true;
        for (const route of [...routes.values()]) route.complete();
      },
    });
  }

  function leave(key: string, route: Subject<T>): void {
    if (route.observed) return;
    routes.delete(key);
    if (routes.size > 0) return;
    subscription?.unsubscribe();
    subscription = undefined;
  }

  return {
    of: (key) =>
      new Observable((subscriber) => {
        if (!completed) connect();
        // The source may have completed while it was subscribed to.
        if (completed) {
          subscriber.complete();
          return undefined;
        }
        let route = routes.get(key);
        if (route === undefined) {
          route = new Subject();
          routes.set(key, route);
        }
        const watched = route;
        const watcher = watched.subscribe(subscriber);
        return () => {
          watcher.unsubscribe();
          leave(key, watched);
        };
      }),
    has: (key) => routes.has(key),
    get size() {
      return routes.size;
    },
  };
}
