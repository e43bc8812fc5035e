export type { Cache } from './cache.ts';
export { persistify, type PersistifyBuilder } from './persistify.ts';
export { memory } from './providers/memory.ts';
export type { ChangeOf, CloseOptions, EntryOf, InputOf, KeyOf, SetOptions, Store, Synchronous, WaitOptions } from './store.ts';
export type { Change, ClearChange, Connection, DeleteChange, EntryChange, ExpireChange, Failure, Origin, Quarantined, Save, SetChange, Status } from './change.ts';
export type { BatchOptions, CacheOptions, LimitOptions, RetryOptions, StoreOptions, TtlOptions } from './options.ts';
export type { Codec, Schema } from './value-format.ts';
export type { JsonValue } from './json-value.ts';
export type {
  Capabilities,
  CommitFeed,
  Cursor,
  Entry,
  Feed,
  OpenContext,
  Page,
  Provider,
  ProviderSession,
  ResetFeed,
  Touched,
  WriteContext,
} from './providers/provider.ts';
export type { Batch, BatchResult, ClearMutation, DeleteMutation, ExpireMutation, LeftOut, Mutation, SetMutation, TouchMutation } from './mutation.ts';
export {
  CorruptDataError,
  DataLostError,
  DiscardedError,
  InvalidKeyError,
  InvalidValueError,
  LimitError,
  LoadError,
  OptionsError,
  PersistifyError,
  ProviderError,
  ReadOnlyError,
  SaveError,
  StoreClosedError,
  StoreLockedError,
  ValidationError,
  type ErrorCode,
  type FailureKind,
  type SaveOutcome,
} from './errors.ts';
