import { concat, EMPTY, map, NEVER, Subject, take, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { routeByKey, type KeyRoutes } from '../../lib/streams/route-by-key.ts';
import { marbles } from './marbles.ts';

/** Capitals have a key, their lower case; other characters have none. */
const routed = (source$: Observable<string>): KeyRoutes<string> => routeByKey(source$, (value) => (value === value.toLowerCase() ? undefined : value.toLowerCase()));

describe('routeByKey', () => {
  it(
    'gives a watcher what concerns its key, and what concerns all',
    marbles((at) => {
      const routes = routed(at.hot('              -A-B-*-A-'));
      at.expectObservable(routes.of('a'), '9ms !').toBe('-A---*-A-');
      at.expectObservable(routes.of('b'), '9ms !').toBe('---B-*---');
      at.expectObservable(routes.of('c'), '9ms !').toBe('-----*---');
    }),
  );

  it('reaches one watcher of ten thousand', () => {
    const source$ = new Subject<string>();
    const routes = routeByKey(source$, (value) => value);
    const reached: number[] = [];
    for (let index = 0; index < 10_000; index++) routes.of(`key ${index}`).subscribe(() => reached.push(index));
    source$.next('key 4711');
    expect(reached).toEqual([4711]);
  });

  it('reaches every watcher of the same key', () => {
    const source$ = new Subject<string>();
    const routes = routed(source$);
    const reached: string[] = [];
    routes.of('a').subscribe(() => reached.push('first'));
    routes.of('a').subscribe(() => reached.push('second'));
    source$.next('A');
    expect(reached).toEqual(['first', 'second']);
  });

  it(
    'subscribes to its source once while anybody watches, and not while nobody does',
    marbles((at) => {
      const source$ = at.hot('                     -A-B-A-B-A-B');
      const routes = routed(source$);
      at.expectObservable(routes.of('a'), '^-----!-----').toBe('-A---A------');
      at.expectObservable(routes.of('b'), '--^-----!---').toBe('---B---B----');
      at.expectObservable(routes.of('b'), '----------^-!').toBe('-----------B');
      at.expectSubscriptions(source$.subscriptions).toBe(['^-------!', '----------^-!']);
    }),
  );

  it('removes a route when its last watcher leaves, and no earlier', () => {
    const routes = routed(new Subject<string>());
    const first = routes.of('a').subscribe();
    const second = routes.of('a').subscribe();
    const other = routes.of('b').subscribe();
    expect(routes.size).toBe(2);
    first.unsubscribe();
    expect(routes.has('a')).toBe(true);
    second.unsubscribe();
    expect(routes.has('a')).toBe(false);
    expect(routes.size).toBe(1);
    other.unsubscribe();
    expect(routes.size).toBe(0);
  });

  it('keeps the route of those who come after it was removed', () => {
    const source$ = new Subject<string>();
    const routes = routed(source$);
    const reached: string[] = [];
    const first = routes.of('a').subscribe();
    first.unsubscribe();
    routes.of('a').subscribe((value) => reached.push(value));
    first.unsubscribe();
    source$.next('A');
    expect(reached).toEqual(['A']);
  });

  it(
    'completes its watchers with the source, also those who come later, and forgets them',
    marbles((at) => {
      const routes = routed(at.hot('         -A-|'));
      at.expectObservable(routes.of('a')).toBe('-A-|');
      at.expectObservable(routes.of('a'), '-----^').toBe('-----|');
      at.flush();
      expect(routes.size).toBe(0);
    }),
  );

  it(
    'completes the watchers of a source that is over from the first',
    marbles((at) => {
      const routes = routed(EMPTY);
      at.expectObservable(routes.of('a')).toBe('|');
      at.expectObservable(routes.of('a')).toBe('|');
      at.flush();
      expect(routes.size).toBe(0);
    }),
  );

  it('gives nothing from before the watching began', () => {
    const source$ = new Subject<string>();
    const routes = routed(source$);
    const reached: string[] = [];
    source$.next('A');
    routes.of('a').subscribe((value) => reached.push(value));
    expect(reached).toEqual([]);
  });

  describe('with a watcher that, in its handler,', () => {
    it('leaves: it hears no more, and the others of the key still do', () => {
      const source$ = new Subject<string>();
      const routes = routed(source$);
      const reached: string[] = [];
      routes.of('a').pipe(take(1)).subscribe(() => reached.push('once'));
      routes.of('a').subscribe(() => reached.push('always'));
      source$.next('A');
      source$.next('A');
      expect(reached).toEqual(['once', 'always', 'always']);
    });

    it('leaves as the last one of all: the source is left too, and found again by the next', () => {
      const source$ = new Subject<string>();
      const routes = routed(source$);
      const reached: string[] = [];
      routes.of('a').pipe(take(1)).subscribe();
      source$.next('A');
      expect(source$.observed).toBe(false);
      routes.of('a').subscribe((value) => reached.push(value));
      source$.next('A');
      expect(reached).toEqual(['A']);
    });

    it('begins to watch the same key: it hears from the next value on', () => {
      const source$ = new Subject<string>();
      const routes = routed(source$);
      const reached: string[] = [];
      routes.of('a').pipe(take(1)).subscribe(() => void routes.of('a').subscribe((value) => reached.push(value)));
      source$.next('A');
      expect(reached).toEqual([]);
      source$.next('A');
      expect(reached).toEqual(['A']);
    });

    it('begins to watch another key while a value goes to all: the new one does not hear that value', () => {
      const source$ = new Subject<string>();
      const routes = routed(source$);
      const reached: string[] = [];
      routes.of('a').pipe(take(1)).subscribe(() => void routes.of('b').subscribe((value) => reached.push(value)));
      source$.next('*');
      expect(reached).toEqual([]);
    });

    it('ends the watching of another key: that one does not hear the value on its way to all', () => {
      const source$ = new Subject<string>();
      const routes = routed(source$);
      const reached: string[] = [];
      routes.of('a').subscribe(() => other.unsubscribe());
      const other = routes.of('b').subscribe((value) => reached.push(value));
      source$.next('*');
      expect(reached).toEqual([]);
      expect(routes.size).toBe(1);
    });
  });

  it(
    'serves many keys from one source, each in its own time',
    marbles((at) => {
      const routes = routed(concat(at.hot('-AB-A|'), NEVER));
      at.expectObservable(routes.of('a').pipe(map((value) => value.toLowerCase())), '9ms !').toBe('-a--a');
      at.expectObservable(routes.of('b').pipe(take(1))).toBe('--(B|)');
    }),
  );
});
