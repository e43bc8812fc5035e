import { randomUUID } from 'node:crypto';

import type { Subscription } from 'rxjs';
import type { Feed, PersistifyError, ProviderSession } from 'rx-persistify';
import { jsonFile, type JsonFileOptions } from 'rx-persistify/json-file';
import { onTestFinished } from 'vitest';

/** What a reader has shown: the version, how it came to it, and what there was then. */
export interface Shown {
  readonly version: number;
  readonly by: 'load' | 'commit';
  readonly texts: Readonly<Record<string, string>>;
}

/** Reads a store and follows it, as the core would; closed after the test. */
export class Reader {
  readonly session: ProviderSession;
  readonly reports: readonly PersistifyError[];
  readonly shown: Shown[] = [];
  readonly deadlines = new Map<string, number>();
  readonly #texts = new Map<string, string>();
  #following: Subscription | undefined;
  #wake: () => void = () => undefined;
  isClosed = false;

  private constructor(session: ProviderSession, reports: readonly PersistifyError[]) {
    this.session = session;
    this.reports = reports;
  }

  static async open(directory: string, { name = 'prefs', ...options }: Partial<JsonFileOptions> & { readonly name?: string } = {}): Promise<Reader> {
    const reports: PersistifyError[] = [];
    const session = await jsonFile({ directory, readOnly: true, ...options }).open(name, { writer: randomUUID(), report: error => reports.push(error) });
    const reader = new Reader(session, reports);
    onTestFinished(() => reader.close());
    await reader.#load();
    return reader;
  }

  get texts(): Readonly<Record<string, string>> {
    return this.shown.at(-1)?.texts ?? {};
  }

  get version(): number {
    return this.shown.at(-1)?.version ?? 0;
  }

  get commits(): readonly Shown[] {
    return this.shown.filter(({ by }) => by === 'commit');
  }

  /** Waits until what is shown is so. */
  async until(condition: (texts: Readonly<Record<string, string>>) => boolean, what: string, timeoutMs = 20_000): Promise<void> {
    const timeout = setTimeout(() => this.#wake(), timeoutMs);
    const givenUpAt = performance.now() + timeoutMs;
    while (!condition(this.texts)) {
      if (performance.now() >= givenUpAt) throw new Error(`${what}: waited for in vain; shown is ${JSON.stringify(this.texts).slice(0, 500)}`);
      await new Promise<void>(resolve => (this.#wake = resolve));
    }
    clearTimeout(timeout);
  }

  async shows(texts: Readonly<Record<string, string>>): Promise<void> {
    const wanted = sorted(texts);
    await this.until(shown => sorted(shown) === wanted, wanted);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.#following?.unsubscribe();
    await this.session.close();
  }

  async #load(): Promise<void> {
    let version = 0;
    const texts = new Map<string, string>();
    const deadlines = new Map<string, number>();
    for await (const page of this.session.load()) {
      version = page.version;
      for (const entry of page.entries) {
        if (entry.version > page.version || entry.version < 1) throw new Error(`an entry of version ${entry.version} in a page of version ${page.version}`);
        texts.set(entry.key, entry.json);
        if (entry.expiresAt !== undefined) deadlines.set(entry.key, entry.expiresAt);
      }
    }
    if (this.isClosed) return;
    if (version < this.version) throw new Error(`version ${version} was loaded after ${this.version}`);
    this.#texts.clear();
    this.deadlines.clear();
    for (const [key, json] of texts) this.#texts.set(key, json);
    for (const [key, expiresAt] of deadlines) this.deadlines.set(key, expiresAt);
    this.#show(version, 'load');
    this.#following = this.session.watch?.({ version }).subscribe(feed => this.#take(feed));
  }

  #take(feed: Feed): void {
    if (feed.type === 'reset') {
      this.#load().catch((error: unknown) => {
        if (!this.isClosed) throw error;
      });
      return;
    }
    const { cursor, cleared, entries, deleted, touched = [] } = feed;
    if (cursor.version <= this.version) throw new Error(`version ${cursor.version} was told after ${this.version}`);
    if (cleared) {
      this.#texts.clear();
      this.deadlines.clear();
    }
    for (const key of deleted) {
      this.#texts.delete(key);
      this.deadlines.delete(key);
    }
    for (const { key, json, expiresAt } of entries) {
      this.#texts.set(key, json);
      if (expiresAt === undefined) this.deadlines.delete(key);
      else this.deadlines.set(key, expiresAt);
    }
    for (const { key, expiresAt } of touched) {
      const before = this.deadlines.get(key);
      if (before !== undefined) this.deadlines.set(key, Math.max(before, expiresAt));
    }
    this.#show(cursor.version, 'commit');
  }

  #show(version: number, by: Shown['by']): void {
    this.shown.push({ version, by, texts: Object.fromEntries(this.#texts) });
    this.#wake();
  }
}

export function sorted(texts: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(texts).sort(([one], [other]) => (one < other ? -1 : 1)));
}
