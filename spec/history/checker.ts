import { Audit, type AuditRow } from './audit.ts';
import type { JournalRecord } from './journal.ts';
import { keyName, keyNames, keyNumber } from './keys.ts';
import { Observer } from './observer.ts';
import { Violations } from './violations.ts';
import { idOf, lifeOf, nameOf, type WriteId } from './written-value.ts';

/** What is left of a history when it is over. */
export interface Evidence {
  /** The version of storage before the first row. */
  readonly version: number;
  readonly audit: Iterable<AuditRow> | AsyncIterable<AuditRow>;
  readonly lives: readonly Life[];
  /** What storage has in the end. */
  readonly stored: readonly StoredRow[];
}

export interface Life {
  readonly life: number;
  readonly isKilled: boolean;
  readonly records: Iterable<JournalRecord>;
}

export interface StoredRow {
  readonly key: string;
  readonly json: string;
}

export interface Counts {
  /** Sets that some store applied. */
  applied: number;
  /** Those, and deletions, of which it was told that they, or newer ones of their keys, are saved. */
  acknowledged: number;
  /** Those that storage was given. */
  stored: number;
  commits: number;
  /** Changes of others that some store was told of. */
  heard: number;
}

/** Holds everything that was recorded against the order that storage tells. */
export async function check({ version, audit: rows, lives, stored }: Evidence, violations = new Violations()): Promise<Counts> {
  const audit = new Audit(violations, version);
  for await (const row of rows) audit.take(row);
  checkStored(stored, audit, violations);
  const counts: Counts = { applied: 0, acknowledged: 0, stored: audit.sets, commits: audit.commits, heard: 0 };
  const observers = new Map<number, Observer>();
  for (const { life, isKilled, records } of lives) {
    const observer = new Observer(life, audit, violations);
    observers.set(life, observer);
    for (const record of records) observer.take(record);
    if (!isKilled && !observer.isEnded) violations.add('failed', `life ${life} did not come to its end`);
    counts.applied += observer.applied;
    counts.acknowledged += observer.acknowledged;
    counts.heard += observer.heard;
  }
  for (const id of audit.ids()) {
    if (observers.get(lifeOf(id))?.mayHaveWritten(id) === true) continue;
    violations.add('phantom', `storage had ${nameOf(id)}, which life ${lifeOf(id)} never wrote`);
  }
  return counts;
}

/** The trail must explain what is there: else storage was changed behind its back, or it is no trail. */
function checkStored(stored: readonly StoredRow[], audit: Audit, violations: Violations): void {
  const found = new Map<number, WriteId>();
  for (const { key, json } of stored) {
    const number = keyNumber(key);
    const id = idOf(JSON.parse(json));
    if (number === undefined || id === undefined) violations.add('phantom', `storage has ${json.slice(0, 200)} under ${JSON.stringify(key)}, which nobody wrote`);
    else found.set(number, id);
  }
  for (const key of keyNames.keys()) {
    const told = audit.finally(key);
    const there = found.get(key) ?? 0;
    if (there !== told) violations.add('diverged', `storage has ${nameOf(there)} under ${keyName(key)}, and told that it was given ${nameOf(told)}`);
  }
}
