export { flushWhenHidden } from './flush-when-hidden.ts';
export type { Flushable } from './flush-when-hidden.ts';
export { indexedDb } from './indexed-db.ts';
export type { IndexedDbOptions } from './options.ts';
