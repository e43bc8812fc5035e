import 'fake-indexeddb/auto';

import { openDB, type IDBPDatabase } from 'idb';
import { indexedDb, type IndexedDbOptions } from 'rx-persistify/indexed-db';
import { onTestFinished, vi } from 'vitest';

import { openerOf, type Opener } from '../../support/open-dictionary.ts';

let count = 0;

/** The name of a database that no other test has. */
export function freshDatabase(): string {
  return `database ${++count}`;
}

/** Opens dictionaries as another tab would: each opener has its own connection. */
export function tab(database: string, options: IndexedDbOptions = {}): Opener {
  return openerOf(indexedDb({ database, ...options }));
}

/** Looks into a database beside the provider, in whatever version it is. Closed when the test has ended. */
export async function inspect(database: string): Promise<IDBPDatabase> {
  const opened = await openDB(database, undefined, { blocking: (_old, _new, event) => (event.target as IDBDatabase).close() });
  onTestFinished(() => opened.close());
  return opened;
}

/** A page that can be put away: fake-indexeddb has none. */
export class FakePage {
  readonly document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  readonly #window = new EventTarget();

  constructor() {
    vi.stubGlobal('document', this.document);
    vi.stubGlobal('addEventListener', this.#window.addEventListener.bind(this.#window));
    vi.stubGlobal('removeEventListener', this.#window.removeEventListener.bind(this.#window));
    // In a browser it bubbles.
    this.document.addEventListener('visibilitychange', () => void this.#window.dispatchEvent(new Event('visibilitychange')));
  }

  becomes(visibilityState: 'hidden' | 'visible'): void {
    this.document.visibilityState = visibilityState;
    this.document.dispatchEvent(new Event('visibilitychange'));
  }

  isLeft(): void {
    this.#window.dispatchEvent(new Event('pagehide'));
  }
}
