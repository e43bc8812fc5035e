import type { Batch, BatchResult, Entry, Mutation, Page, PersistifyError, Provider, ProviderSession } from 'rx-persistify';
import { onTestFinished } from 'vitest';

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

let count = 0;

/** Opens dictionaries through this provider; what is still open at the end of the test is closed. */
export function openerOf(provider: Provider): Opener {
  return async (name = 'prefs') => {
    const reported: PersistifyError[] = [];
    const writer = `writer ${++count} of ${process.hrtime.bigint()}`;
    const session = await provider.open(name, { writer, report: error => reported.push(error) });
    onTestFinished(() => session.close());
    return new OpenDictionary(session, writer, reported);
  };
}

export function set(key: string, json = '1'): Mutation {
  return { type: 'set', key, json };
}

export function numberedSets(count: number, json = '0'): readonly Mutation[] {
  return Array.from({ length: count }, (_, index) => set(`key ${String(index).padStart(6, '0')}`, json));
}
