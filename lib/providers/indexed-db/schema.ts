import type { DBSchema, IDBPDatabase, StoreNames } from 'idb';

import type { Batch } from '../../mutation.ts';
import type { Entry } from '../provider.ts';

/** The version of a database in the first format: above 1, so that one is filled that somebody made empty by asking for it. */
export const currentVersion = 10;

/** What a database holds, whatever its dictionaries are called: a new one needs no new version of the database, which would wait for all tabs. */
export interface Schema extends DBSchema {
  /** By dictionary. */
  dictionaries: { key: string; value: DictionaryRow };
  /** By dictionary and key. */
  entries: { key: [dictionary: string, key: string]; value: Entry };
  /** By dictionary and writer. */
  writers: { key: [dictionary: string, writer: string]; value: WriterRow; indexes: { settledAt: [dictionary: string, settledAt: number] } };
  /** By dictionary and version, one row a commit. */
  log: { key: [dictionary: string, version: number]; value: LogRow };
}

export type Database = IDBPDatabase<Schema>;

/**
 * What pages that were left could not commit any more. It has a database of its own: a browser may have all writing transactions of
 * one wait for each other, whatever is in their scopes (Chromium does), and drops those that wait as the page is left.
 */
export interface ParkedSchema extends DBSchema {
  /** By dictionary, writer and number. */
  parked: { key: ParkedKey; value: Batch };
}

export type ParkedKey = [dictionary: string, writer: string, number: number];

export interface DictionaryRow {
  /** Another one each time that it is made, so that it is told from one of its name that was deleted. */
  readonly id: string;
  /** The version of the last commit. */
  readonly head: number;
}

/** What a writer was answered last. */
export interface WriterRow {
  readonly dictionary: string;
  readonly writer: string;
  readonly number: number;
  readonly version: number;
  /** As `leftOutText` makes it. */
  readonly leftOut: string;
  /** In milliseconds since 1970. */
  readonly settledAt: number;
}

export interface LogRow {
  readonly version: number;
  readonly writer: string;
  readonly number: number;
  readonly committedAt: number;
  /** Whether it cleared the dictionary before everything else. */
  readonly cleared: boolean;
  /** What it set or deleted. */
  readonly keys: readonly string[];
}

export const storeNames = ['dictionaries', 'entries', 'writers', 'log'] as const;

/** How a database is made. */
export interface Layout<S extends DBSchema> {
  readonly storeNames: readonly StoreNames<S>[];
  readonly create: (database: IDBPDatabase<S>) => void;
}

export const layout: Layout<Schema> = { storeNames, create: createStores };

export const parkedLayout: Layout<ParkedSchema> = {
  storeNames: ['parked'],
  create: (database) => void database.createObjectStore('parked'),
};

/** The name of the database for what is parked, beside this one. */
export function parkedName(database: string): string {
  return `${database} parked`;
}

function createStores(database: Database): void {
  database.createObjectStore('dictionaries');
  database.createObjectStore('entries');
  database.createObjectStore('writers', { keyPath: ['dictionary', 'writer'] }).createIndex('settledAt', ['dictionary', 'settledAt']);
  database.createObjectStore('log');
}

/** All of a dictionary's rows: an array is above every text. */
export function allOf(dictionary: string): IDBKeyRange {
  return IDBKeyRange.bound([dictionary], [dictionary, []]);
}

/** The rows behind this key. */
export function allBehind(dictionary: string, key: string): IDBKeyRange {
  return IDBKeyRange.bound([dictionary, key], [dictionary, []], true);
}

/** The rows of a dictionary whose numbers are in these bounds: versions of its log, or times of its writers. */
export function numbersOf(dictionary: string, from: number, to: number): IDBKeyRange {
  return IDBKeyRange.bound([dictionary, from], [dictionary, to]);
}
