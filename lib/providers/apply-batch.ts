import type { ExpireMutation, LeftOut, Mutation } from '../mutation.ts';
import type { Entry } from './provider.ts';

/** What a commit changed, as a feed tells it. */
export interface Effect {
  readonly cleared: boolean;
  /** The keys it set or deleted. */
  readonly keys: readonly string[];
}

/** What became of a batch. */
export interface Applied extends Effect {
  readonly leftOut: readonly LeftOut[];
}

/** The entries of a dictionary by key, as a Map has them. */
export interface EntryTable {
  /** Not 0 where it is not empty. */
  readonly size: number;
  get(key: string): Entry | undefined;
  set(key: string, entry: Entry): void;
  delete(key: string): boolean;
  clear(): void;
}

/** Does to `table` what `mutations` say; what they set carries `version`. `now` is storage's clock, in milliseconds. */
export function applyBatch(table: EntryTable, mutations: readonly Mutation[], version: number, now: number): Applied {
  const conflicts = findConflicts(table, mutations);
  const leftOut: LeftOut[] = [];
  let cleared = false;
  const keys: string[] = [];
  for (const [index, mutation] of mutations.entries()) {
    const conflict = conflicts.get(index);
    if (conflict !== undefined) {
      leftOut.push({ index, reason: 'conflict', message: conflict });
      continue;
    }
    switch (mutation.type) {
      case 'set': {
        const { key, json, expiresAt } = mutation;
        table.set(key, expiresAt === undefined ? { key, json, version } : { key, json, version, expiresAt });
        keys.push(key);
        break;
      }
      case 'delete':
        if (table.delete(mutation.key)) keys.push(mutation.key);
        break;
      case 'clear':
        cleared = table.size > 0;
        table.clear();
        break;
      case 'touch': {
        const entry = table.get(mutation.key);
        // No deadline is the latest of all: a touch must not end what another session keeps for ever.
        if (entry?.expiresAt !== undefined && entry.expiresAt < mutation.expiresAt) {
          table.set(mutation.key, { ...entry, expiresAt: mutation.expiresAt });
        }
        break;
      }
      case 'expire': {
        const message = whyItStays(table.get(mutation.key), mutation, now);
        if (message !== undefined) {
          leftOut.push({ index, reason: 'conflict', message });
        } else {
          table.delete(mutation.key);
          keys.push(mutation.key);
        }
        break;
      }
    }
  }
  return { cleared, keys, leftOut };
}

/** What a commit on `table` must go without because an `expect` does not hold, a transaction as a whole: the message by the place. */
function findConflicts(table: EntryTable, mutations: readonly Mutation[]): ReadonlyMap<number, string> {
  const failed = new Set(mutations.filter(mutation => !holds(table, mutation)));
  const conflicts = new Map<number, string>();
  if (failed.size === 0) return conflicts;
  const failedTransactions = new Set([...failed].flatMap(mutation => transactionOf(mutation) ?? []));
  for (const [index, mutation] of mutations.entries()) {
    const transaction = transactionOf(mutation);
    if (failed.has(mutation)) conflicts.set(index, 'The key has another version.');
    else if (transaction !== undefined && failedTransactions.has(transaction)) conflicts.set(index, 'Another part of its transaction had a conflict.');
  }
  return conflicts;
}

/** Conditions are about storage as the commit finds it, so that a `clear` before them changes none. */
function holds(table: EntryTable, mutation: Mutation): boolean {
  if (mutation.type !== 'set' && mutation.type !== 'delete') return true;
  return mutation.expect === undefined || mutation.expect === (table.get(mutation.key)?.version ?? 0);
}

/** Why an `expire` does not come true; undefined: it does. */
function whyItStays(entry: Entry | undefined, { version }: ExpireMutation, now: number): string | undefined {
  if (entry === undefined) return 'The key is absent.';
  if (entry.version !== version) return 'The key has another version.';
  if (entry.expiresAt === undefined) return 'The key has no deadline.';
  return entry.expiresAt <= now ? undefined : 'Its deadline has not passed.';
}

function transactionOf(mutation: Mutation): number | undefined {
  return mutation.type === 'touch' || mutation.type === 'expire' ? undefined : mutation.transaction;
}
