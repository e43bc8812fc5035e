import type { Entry, Feed, Mutation, ProviderSession } from 'rx-persistify';
import { bufferCount, concatMap, EMPTY, filter, from, map, mergeMap, Observable, of, takeWhile, type OperatorFunction } from 'rxjs';

import { changed, type Opened } from '../models.ts';
import { provider, session, versionOf, type Fault } from './fault.ts';

/** Defects of the feed. */
export const watching: readonly Fault[] = [
  feed('tells commits in pairs, the later first', 'tells what another session commits, in order', () =>
    source => source.pipe(bufferCount(2), concatMap(pair => pair.toReversed())),
  ),
  feed('tells no deadlines', 'tells entries as `load` does, with version and deadline', () =>
    entries(({ key, json, version }) => ({ key, json, version })),
  ),
  feed('does not tell a clear', 'tells a clear, and what is set after it', () =>
    map(news => (news.type === 'commit' ? { ...news, cleared: false } : news)),
  ),
  feed('does not tell what was deleted', 'tells an expiry as a delete', () =>
    map(news => (news.type === 'commit' ? { ...news, deleted: [] } : news)),
  ),
  feed('tells a large commit in parts', 'tells a batch of 5,000 and hostile keys as one commit', () =>
    mergeMap(news => {
      if (news.type === 'reset' || news.entries.length <= 1_000) return of(news);
      return of({ ...news, entries: news.entries.slice(0, 1_000) }, { ...news, cleared: false, entries: news.entries.slice(1_000) });
    }),
  ),
  feed('tells each commit twice', 'tells a retry once', () => mergeMap(news => of(news, news))),
  feed('loses each tenth commit', 'misses nothing of two sessions that write at once', () => filter((_, index) => index % 10 !== 9)),
  feed('stops at a commit of its own', 'comes past the commits of its own session, in the order of all', (_, { context }) =>
    takeWhile(news => news.type === 'commit' && news.cursor.writer !== context.writer),
  ),
  feed('does not tell its own commits', 'comes past the commits of its own session when nobody else commits', (_, { context }) =>
    filter(news => news.type === 'reset' || news.cursor.writer !== context.writer),
  ),
  session('does not know the cursors of its own commits', 'goes on behind the cursor of a commit of its own', (inner, { context }) =>
    ({ ...inner, watch: since => (since.writer === context.writer ? of({ type: 'reset' }) : inner.watch?.(since) ?? EMPTY) }),
  ),
  session('takes what it has written itself for the last word', 'tells what another session wrote over a commit of its own', inner => {
    const own = new Set<string>();
    return {
      ...inner,
      write: (batch, context) => {
        for (const mutation of batch.mutations) if ('key' in mutation) own.add(mutation.key);
        return inner.write(batch, context);
      },
      ...retelling(inner, map(news => (news.type === 'commit' ? { ...news, entries: news.entries.filter(({ key }) => !own.has(key)) } : news))),
    };
  }),
  provider('tells what was left out', 'tells nothing that was left out', inner => {
    const written = new Map<number, readonly Mutation[]>();
    return changed(inner, whole => ({
      ...whole,
      write: async (batch, context) => {
        written.set(batch.number, batch.mutations);
        return whole.write(batch, context);
      },
      ...retelling(whole, map(news => (news.type === 'commit' ? { ...news, entries: wishes(written.get(news.cursor.number ?? 0), news.cursor.version) } : news))),
    }));
  }),

  session('tells only what comes', 'tells what was committed between the load and the subscription', inner => ({
    ...inner,
    watch: () => from(versionOf(inner)).pipe(mergeMap(version => inner.watch?.({ version }) ?? EMPTY)),
  })),
  session('names itself for who committed what it loads', 'names who committed what is loaded, where it does, as the feed does', (inner, { context }) => ({
    ...inner,
    async *load() {
      for await (const page of inner.load()) yield { ...page, writer: context.writer };
    },
  })),
  session('begins at the beginning', 'goes on behind the cursor of an earlier subscription', inner =>
    ({ ...inner, watch: () => inner.watch?.({ version: 0 }) ?? EMPTY }),
  ),
  session('knows only its own cursors', 'goes on in a new session behind the cursor of an old one', inner => {
    let isKnown = false;
    return {
      ...inner,
      load: () => {
        isKnown = true;
        return inner.load();
      },
      watch: since => (isKnown ? inner.watch?.(since) ?? EMPTY : of({ type: 'reset' })),
    };
  }),
  session('takes a later version for the current one', 'tells to load again behind a cursor of a version that is still to come', inner => ({
    ...inner,
    watch: since => from(versionOf(inner)).pipe(mergeMap(version => inner.watch?.(since.version > version ? { version } : since) ?? EMPTY)),
  })),
  session('does not look who wrote', 'tells to load again behind a cursor that another writer committed', inner =>
    ({ ...inner, watch: ({ version }) => inner.watch?.({ version }) ?? EMPTY }),
  ),
  session('tells one subscription only', 'tells two subscriptions the same', inner => {
    let isWatched = false;
    return {
      ...inner,
      watch: since => {
        if (isWatched) return new Observable();
        isWatched = true;
        return inner.watch?.(since) ?? EMPTY;
      },
    };
  }),
  session('stops telling when one unsubscribes', 'goes on telling one subscriber when another leaves', inner => {
    let hasStopped = false;
    return {
      ...inner,
      watch: since =>
        new Observable<Feed>(subscriber => {
          subscriber.add(inner.watch?.(since).pipe(filter(() => !hasStopped)).subscribe(subscriber));
          subscriber.add(() => (hasStopped = true));
        }),
    };
  }),
];

function feed(name: string, red: string, change: (inner: ProviderSession, opened: Opened) => OperatorFunction<Feed, Feed>): Fault {
  return session(name, red, (inner, opened) => ({ ...inner, ...retelling(inner, change(inner, opened)) }));
}

function retelling(inner: ProviderSession, change: OperatorFunction<Feed, Feed>): Pick<ProviderSession, 'watch'> {
  return { watch: since => inner.watch?.(since).pipe(change) ?? EMPTY };
}

function entries(change: (entry: Entry) => Entry): OperatorFunction<Feed, Feed> {
  return map(news => (news.type === 'commit' ? { ...news, entries: news.entries.map(change) } : news));
}

/** What a batch would have set, whatever became of it. */
function wishes(mutations: readonly Mutation[] = [], version: number): readonly Entry[] {
  return mutations.flatMap(mutation => (mutation.type === 'set' ? [{ key: mutation.key, json: mutation.json, version }] : []));
}
