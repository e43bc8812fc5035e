import { createHash } from 'node:crypto';
import { existsSync, openSync, readFileSync, writeSync } from 'node:fs';

/** What one step of a change does to the model: a dictionary of stamps. */
export type Step = { readonly type: 'set'; readonly key: string; readonly stamp: string } | { readonly type: 'delete'; readonly key: string } | { readonly type: 'clear' };

/**
 * What a writer tells of itself. `change` comes before the change is applied, as what is applied may be saved at once; its
 * `seq` is the store's after its last step, and several steps are a transaction. `acknowledged` comes after the store said so.
 */
export type JournalRecord =
  | { readonly type: 'opening' }
  | { readonly type: 'opened'; readonly digest: string }
  | { readonly type: 'change'; readonly seq: number; readonly steps: readonly Step[] }
  | { readonly type: 'acknowledged'; readonly seq: number }
  | { readonly type: 'writing' }
  | { readonly type: 'written' }
  | { readonly type: 'idling' }
  | { readonly type: 'closing' }
  | { readonly type: 'closed' }
  | { readonly type: 'fault'; readonly message: string };

/**
 * Writes records so that they outlive a kill -9: each is with the kernel before `write` returns. Nothing is buffered here,
 * and nothing is asynchronous.
 */
export class Journal {
  readonly #file: number;
  readonly #onRecord: (record: JournalRecord) => void;

  constructor(path: string, onRecord: (record: JournalRecord) => void = () => undefined) {
    this.#file = openSync(path, 'ax');
    this.#onRecord = onRecord;
  }

  write(record: JournalRecord): void {
    writeSync(this.#file, `${JSON.stringify(record)}\n`);
    this.#onRecord(record);
  }
}

/** The records of a journal. A last line without end is left out: what it announced was not begun. */
export function readJournal(path: string): JournalRecord[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as JournalRecord); // our own writing
}

/** The same; none if its writer died before it had one. */
export function readJournalIfThere(path: string): JournalRecord[] {
  return existsSync(path) ? readJournal(path) : [];
}

/** A short text that tells two dictionaries of stamps apart. */
export function digestOf(stamps: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  for (const key of [...stamps.keys()].sort()) hash.update(`${key}\0${stamps.get(key) ?? ''}\n`);
  return `${stamps.size} entries, sha256 ${hash.digest('hex').slice(0, 16)}`;
}
