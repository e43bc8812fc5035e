import type { AuditRow } from './audit.ts';
import type { StoredRow } from './checker.ts';
import type { MemberProcess } from './member-process.ts';
import type { Place } from './place.ts';

/** Something that happens to one process's access to storage, or to all of it. */
export interface Fault {
  readonly name: string;
  /** How often it comes, beside the others. */
  readonly weight: number;
  /** It means something to one that writes alone. */
  readonly isOfWriters?: boolean;
  /** Resolves when it is over. */
  inject(member: MemberProcess): Promise<void> | void;
}

/** Where a history is kept, as the harness sees it: without the library, but for `prepare`. */
export interface Storage {
  /** Has the library make the dictionary, and storage tell of all that happens to it. Resolves to its version. */
  prepare(): Promise<number>;
  /** Where the process of a slot opens it. */
  place(slot: number): Place;
  readonly faults: readonly Fault[];
  /** Ends the server, and starts it again. None: there is no server. */
  restart?(): Promise<void>;
  /** What happened since `prepare`, in the order of commits. */
  audit(): Iterable<AuditRow> | AsyncIterable<AuditRow>;
  stored(): Promise<readonly StoredRow[]>;
  close(): Promise<void>;
}
