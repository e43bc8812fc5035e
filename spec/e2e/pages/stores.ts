import { deleteDB } from 'idb';
import { persistify } from 'rx-persistify';
import { flushWhenHidden, indexedDb } from 'rx-persistify/indexed-db';

/** What specs use in the page. */
const library = { persistify, indexedDb, flushWhenHidden, deleteDB };

declare global {
  var rx: typeof library;
}

globalThis.rx = library;
