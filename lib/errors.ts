/** The stable codes of this library's errors. Messages may change, codes may not. */
export type ErrorCode =
  | 'STORE_CLOSED'
  | 'STORE_LOCKED'
  | 'READ_ONLY'
  | 'LOAD_FAILED'
  | 'SAVE_FAILED'
  | 'DISCARDED'
  | 'LIMIT'
  | 'CORRUPT_DATA'
  | 'DATA_LOST'
  | 'INVALID_KEY'
  | 'INVALID_VALUE'
  | 'VALIDATION'
  | 'OPTIONS'
  | 'PROVIDER';

/** What every error of this library is an instance of. */
export abstract class PersistifyError extends Error {
  abstract readonly code: ErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The store is closed, or closing; nothing was changed. */
export class StoreClosedError extends PersistifyError {
  readonly code = 'STORE_CLOSED';
}

/** Another owner has the storage open. */
export class StoreLockedError extends PersistifyError {
  readonly code = 'STORE_LOCKED';
}

/** The store was opened to be read only; nothing was changed. */
export class ReadOnlyError extends PersistifyError {
  readonly code = 'READ_ONLY';
}

/** `open` or `reload` could not read what is stored. */
export class LoadError extends PersistifyError {
  readonly code = 'LOAD_FAILED';
}

/**
 * What became of a write that was not saved.
 * `pending`: applied, and will be tried again. `unknown`: it was attempted, may or may not be stored, and will be settled.
 * `refused`: can never be stored, and is undone in memory. `discarded`: will not be stored: dropped by `reload`, with a
 * `DiscardedError`, or a conditional write that storage did not come to decide, as saving failed before; it changed nothing.
 */
export type SaveOutcome = 'pending' | 'refused' | 'discarded' | 'unknown';

/** What was waited for was not saved; `outcome` says where that leaves it. */
export class SaveError extends PersistifyError {
  readonly code: 'SAVE_FAILED' | 'DISCARDED' = 'SAVE_FAILED';
  readonly outcome: SaveOutcome;
  /** The keys concerned. */
  readonly keys: readonly string[];

  constructor(message: string, details: { outcome: SaveOutcome; keys: readonly string[]; cause?: unknown }) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.outcome = details.outcome;
    this.keys = details.keys;
  }
}

/** `reload` dropped what was waited for. */
export class DiscardedError extends SaveError {
  override readonly code = 'DISCARDED';

  constructor(message: string, keys: readonly string[]) {
    super(message, { outcome: 'discarded', keys });
  }
}

/** A write would exceed what `withLimits` allows to be pending; nothing was changed. */
export class LimitError extends PersistifyError {
  readonly code = 'LIMIT';
}

/** Stored data cannot be read as what it should be; it is left as it is. */
export class CorruptDataError extends PersistifyError {
  readonly code = 'CORRUPT_DATA';
  /** The file or table. */
  readonly location?: string;
  /** Where in the file, in bytes from its start. */
  readonly offset?: number;
  /** The key concerned. */
  readonly key?: string;

  constructor(message: string, details: { location?: string; offset?: number; key?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    if (details.location !== undefined) this.location = details.location;
    if (details.offset !== undefined) this.offset = details.offset;
    if (details.key !== undefined) this.key = details.key;
  }
}

/** Storage no longer has commits that it had acknowledged: it was restored to an earlier state, or a server without them took over. */
export class DataLostError extends PersistifyError {
  readonly code = 'DATA_LOST';
  /** The version of the newest commit of this process that was acknowledged and is not there. */
  readonly version: number;

  constructor(message: string, details: { version: number }) {
    super(message);
    this.version = details.version;
  }
}

/** A key, or a store's name, is not one that every provider can hold; nothing was changed. */
export class InvalidKeyError extends PersistifyError {
  readonly code = 'INVALID_KEY';
}

/** A value is not one that JSON keeps exactly; nothing was changed. */
export class InvalidValueError extends PersistifyError {
  readonly code = 'INVALID_VALUE';
  /** Where in the value, as one would write it: `.items[3].date`; empty for the value itself. */
  readonly path: string;
  /** The key that it was to be the value of. */
  readonly key?: string;

  constructor(message: string, path: string, options?: ErrorOptions & { readonly key?: string }) {
    super(message, options);
    this.path = path;
    if (options?.key !== undefined) this.key = options.key;
  }
}

/** A value does not satisfy the store's schema; nothing was changed. */
export class ValidationError extends PersistifyError {
  readonly code = 'VALIDATION';
  /** What the schema found, in its own words. */
  readonly issues: readonly { readonly message: string; readonly path: string }[];

  constructor(message: string, issues: readonly { readonly message: string; readonly path: string }[], options?: ErrorOptions) {
    super(message, options);
    this.issues = issues;
  }
}

/** An option, or an argument, is not what it should be. */
export class OptionsError extends PersistifyError {
  readonly code = 'OPTIONS';
}

/**
 * How a provider's failure is to be met.
 * `retry`: it may pass; try again with backoff. `halt`: trying at once is useless (permission, missing table, disk full).
 * `refuse`: this one mutation can never be stored; to be answered in `BatchResult.leftOut` where it is known which.
 */
export type FailureKind = 'retry' | 'halt' | 'refuse';

/** What a provider throws. Any other error that comes out of one counts as `halt`. */
export class ProviderError extends PersistifyError {
  readonly code = 'PROVIDER';
  readonly kind: FailureKind;
  /** Whether the attempt may have been stored all the same, as when the answer to a commit was lost. */
  readonly outcomeUnknown: boolean;

  constructor(message: string, details: { kind: FailureKind; outcomeUnknown?: boolean; cause?: unknown }) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = details.kind;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
  }
}
