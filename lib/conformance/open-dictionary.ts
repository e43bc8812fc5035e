import type { PersistifyError } from '../errors.ts';
import type { Batch, BatchResult, Mutation, SetMutation } from '../mutation.ts';
import type { Cursor, Entry, Page, Provider, ProviderSession } from '../providers/provider.ts';
import { equal, fail, inTime, isAbove, isAtLeast, isTrue, show } from './assertions.ts';

/** A dictionary as `load` told it. */
export interface Loaded {
  readonly version: number;
  /** What the feed is to go on behind. */
  readonly place: Cursor;
  readonly entries: ReadonlyMap<string, Entry>;
}

/** A session as the core would hold it: numbers the batches, tries again what may pass, and checks each answer on its way. */
export class OpenDictionary {
  readonly session: ProviderSession;
  readonly writer: string;
  /** What the provider found wrong. */
  readonly reports: readonly PersistifyError[];
  readonly #limitMs: number;
  #lastNumber = 0;

  static async open(provider: Provider, name: string, limitMs: number): Promise<OpenDictionary> {
    const writer = crypto.randomUUID();
    const reports: PersistifyError[] = [];
    const session = await inTime(provider.open(name, { writer, report: error => reports.push(error) }), `opening ${show(name)}`, limitMs);
    return new OpenDictionary(session, writer, reports, limitMs);
  }

  private constructor(session: ProviderSession, writer: string, reports: readonly PersistifyError[], limitMs: number) {
    this.session = session;
    this.writer = writer;
    this.reports = reports;
    this.#limitMs = limitMs;
  }

  /** The next batch. Frozen, since a provider must not change it. */
  batch(...mutations: Mutation[]): Batch {
    for (const mutation of mutations) Object.freeze(mutation);
    this.#lastNumber += 1;
    return Object.freeze({ number: this.#lastNumber, writer: this.writer, mutations: Object.freeze(mutations) });
  }

  /** Writes the next batch, and expects that nothing is left out. */
  async write(...mutations: Mutation[]): Promise<BatchResult> {
    const result = await this.send(this.batch(...mutations));
    equal(result.leftOut, [], 'what was left out of a batch without conflicts');
    return result;
  }

  async set(key: string, json: string, rest: Pick<SetMutation, 'expiresAt' | 'expect'> = {}): Promise<number> {
    const { version } = await this.write({ type: 'set', key, json, ...rest });
    return version;
  }

  /** Writes a batch, and tries it again under its number when the provider says that this may help, as the core does. */
  async send(batch: Batch): Promise<BatchResult> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const result = await this.inTime(this.session.write(batch, { signal: new AbortController().signal }), 'the answer of `write`');
        checkResult(result, batch);
        return result;
      } catch (error) {
        const mayPass = error instanceof Error && 'kind' in error && error.kind === 'retry';
        if (!mayPass || attempt === 40) throw error;
        await delay(25);
      }
    }
  }

  async load(): Promise<Loaded> {
    const entries = new Map<string, Entry>();
    let place: Cursor | undefined;
    for await (const page of this.session.load()) {
      const { version, writer, number } = page;
      place ??= { version, ...(writer !== undefined && { writer }), ...(number !== undefined && { number }) };
      equal([version, writer, number], [place.version, place.writer, place.number], 'the place of a later page of `load`');
      for (const entry of page.entries) {
        isTrue(!entries.has(entry.key), 'each key comes once in `load`', entry.key);
        checkEntry(entry, page);
        entries.set(entry.key, entry);
      }
    }
    if (place === undefined) fail('the pages of `load`: expected at least one, but got none');
    return { version: place.version, place, entries };
  }

  /** The stored texts by key. */
  async texts(): Promise<ReadonlyMap<string, string>> {
    const { entries } = await this.load();
    return new Map([...entries.values()].map(({ key, json }) => [key, json]));
  }

  async entry(key: string): Promise<Entry> {
    const { entries } = await this.load();
    return entries.get(key) ?? fail(`the key ${show(key)}: expected it to be stored, but it is absent`);
  }

  async read(keys: readonly string[]): Promise<readonly Entry[]> {
    if (this.session.read === undefined) fail('`read`: expected the session to have it, but it has not');
    return this.inTime(this.session.read(keys), 'the answer of `read`');
  }

  /** Waits for an answer of the provider, but not for ever. */
  inTime<T>(answer: Promise<T>, what: string): Promise<T> {
    return inTime(answer, what, this.#limitMs);
  }

  async close(): Promise<void> {
    await this.inTime(this.session.close(), 'the end of `close`');
  }
}

/** What a result leaves out, in the order of the places: each place with its reason. */
export function leftOutOf({ leftOut }: BatchResult): readonly string[] {
  return leftOut.toSorted((one, other) => one.index - other.index).map(({ index, reason }) => `${index} ${reason}`);
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms);
  });
}

function checkResult({ version, leftOut }: BatchResult, batch: Batch): void {
  isTrue(Number.isSafeInteger(version) && version >= 0, 'the version of a result is a whole number', version);
  const indexes = leftOut.map(({ index }) => index);
  equal(new Set(indexes).size, indexes.length, 'how many different mutations the result leaves out');
  for (const { index, reason } of leftOut) {
    isTrue(batch.mutations[index] !== undefined, 'what is left out is in the batch', index);
    isTrue(['refused', 'conflict'].includes(reason), 'the reason of what is left out is `refused` or `conflict`', reason);
  }
}

function checkEntry({ key, json, version, expiresAt }: Entry, page: Page): void {
  isTrue(typeof key === 'string' && typeof json === 'string', 'an entry has a key and a text', { key, json });
  isAbove(version, 0, `the version of the entry ${show(key)}`);
  isAtLeast(page.version, version, `the version of the page, beside that of the entry ${show(key)}`);
  isTrue(expiresAt === undefined || typeof expiresAt === 'number', 'a deadline is a number or absent', expiresAt);
}
