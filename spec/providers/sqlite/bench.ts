import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import Database from 'better-sqlite3';
import type { Batch, BatchResult, Entry, Mutation, Page, PersistifyError, ProviderSession } from 'rx-persistify';
import { sqlite, type SqliteOptions } from 'rx-persistify/sqlite';
import { onTestFinished } from 'vitest';

/** A directory that is gone after the test, and a database file in it that is not there yet. */
export function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'rx-persistify-sqlite-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'store.sqlite');
}

/** A dictionary that is open, and numbers its batches. */
export class OpenDictionary {
  readonly session: ProviderSession;
  readonly writer: string;
  readonly reported: readonly PersistifyError[];
  #number = 0;

  constructor(session: ProviderSession, writer: string, reported: readonly PersistifyError[]) {
    this.session = session;
    this.writer = writer;
    this.reported = reported;
  }

  batch(...mutations: readonly Mutation[]): Batch {
    return { number: ++this.#number, writer: this.writer, mutations };
  }

  send(batch: Batch, signal: AbortSignal = new AbortController().signal): Promise<BatchResult> {
    return this.session.write(batch, { signal });
  }

  write(...mutations: readonly Mutation[]): Promise<BatchResult> {
    return this.send(this.batch(...mutations));
  }

  async pages(): Promise<readonly Page[]> {
    const pages: Page[] = [];
    for await (const page of this.session.load()) pages.push(page);
    return pages;
  }

  async entries(): Promise<readonly Entry[]> {
    return (await this.pages()).flatMap(({ entries }) => entries);
  }

  async texts(): Promise<ReadonlyMap<string, string>> {
    return new Map((await this.entries()).map(({ key, json }) => [key, json]));
  }

  close(): Promise<void> {
    return this.session.close();
  }
}

export type Opener = (name?: string) => Promise<OpenDictionary>;

/** Opens dictionaries through one provider; what is still open at the end of the test is closed. */
export function openerOf(options: SqliteOptions): Opener {
  const provider = sqlite(options);
  let count = 0;
  return async (name = 'prefs') => {
    const reported: PersistifyError[] = [];
    const writer = `writer ${++count} of ${process.hrtime.bigint()}`;
    const session = await provider.open(name, { writer, report: error => reported.push(error) });
    onTestFinished(() => session.close());
    return new OpenDictionary(session, writer, reported);
  };
}

export function open(options: SqliteOptions, name?: string): Promise<OpenDictionary> {
  return openerOf(options)(name);
}

/** A connection of another program. It must be opened behind the provider's, or make the file. */
export function inspect(file: string): Database.Database {
  const database = new Database(file, { timeout: 0 });
  onTestFinished(() => {
    database.close();
  });
  return database;
}

export function rows(file: string, sql: string, ...parameters: readonly unknown[]): readonly unknown[] {
  const database = new Database(file, { timeout: 50 });
  try {
    return database.prepare(sql).all(...parameters);
  } finally {
    database.close();
  }
}

export function set(key: string, json = '1'): Mutation {
  return { type: 'set', key, json };
}

export function numberedSets(count: number, json = '0'): readonly Mutation[] {
  return Array.from({ length: count }, (_, index) => set(`key ${String(index).padStart(6, '0')}`, json));
}

/** Both ways of committing. */
export const modes = [
  { mode: 'in a worker', worker: true },
  { mode: 'on the main thread', worker: false },
] as const;
