import type { LeftOut, Mutation } from '../mutation.ts';
import type { Entry } from './provider.ts';

/** What a commit changed, as a feed tells it. */
export interface Effect {
  readonly cleared: boolean;
  /** The keys it set or deleted. */
  readonly keys: readonly string[];
}

/** Which of these mutations a commit on `table` must go without because an `expect` does not hold: a transaction as a whole. */
export function findConflicts(table: ReadonlyMap<string, Entry>, mutations: readonly Mutation[]): readonly LeftOut[] {
  const failed = new Set(mutations.filter(mutation => !holds(table, mutation)));
  const failedTransactions = new Set([...failed].flatMap(mutation => transactionOf(mutation) ?? []));
  return mutations.flatMap((mutation, index): LeftOut[] => {
    if (failed.has(mutation)) return [{ index, reason: 'conflict', message: 'The key has another version.' }];
    const transaction = transactionOf(mutation);
    if (transaction === undefined || !failedTransactions.has(transaction)) return [];
    return [{ index, reason: 'conflict', message: 'Another part of its transaction had a conflict.' }];
  });
}

/** Does to `table` what `mutations` say; what they set carries `version`. `now` is storage's clock, in milliseconds. */
export function applyMutations(table: Map<string, Entry>, mutations: readonly Mutation[], version: number, now: number): Effect {
  let cleared = false;
  const keys: string[] = [];
  for (const mutation of mutations) {
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
        const entry = table.get(mutation.key);
        if (entry?.expiresAt !== undefined && entry.expiresAt <= now && entry.version === mutation.version) {
          table.delete(mutation.key);
          keys.push(mutation.key);
        }
        break;
      }
    }
  }
  return { cleared, keys };
}

/** Conditions are about storage as the commit finds it, so that a `clear` before them changes none. */
function holds(table: ReadonlyMap<string, Entry>, mutation: Mutation): boolean {
  if (mutation.type !== 'set' && mutation.type !== 'delete') return true;
  return mutation.expect === undefined || mutation.expect === (table.get(mutation.key)?.version ?? 0);
}

function transactionOf(mutation: Mutation): number | undefined {
  return mutation.type === 'touch' || mutation.type === 'expire' ? undefined : mutation.transaction;
}
