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
  /** The listeners of the window, which are called before those of the document, and after them: Node's own know no phases. */
  readonly #capturing = new EventTarget();
  readonly #bubbling = new EventTarget();

  constructor() {
    const phaseOf = (options?: AddEventListenerOptions): EventTarget => (options?.capture === true ? this.#capturing : this.#bubbling);
    vi.stubGlobal('document', this.document);
    vi.stubGlobal('addEventListener', (type: string, listener: EventListener, options?: AddEventListenerOptions) => phaseOf(options).addEventListener(type, listener, options));
    vi.stubGlobal('removeEventListener', (type: string, listener: EventListener, options?: AddEventListenerOptions) => phaseOf(options).removeEventListener(type, listener, options));
  }

  becomes(visibilityState: 'hidden' | 'visible'): void {
    this.document.visibilityState = visibilityState;
    for (const target of [this.#capturing, this.document, this.#bubbling]) target.dispatchEvent(new Event('visibilitychange'));
  }

  isLeft(): void {
    for (const target of [this.#capturing, this.#bubbling]) target.dispatchEvent(new Event('pagehide'));
  }
}
