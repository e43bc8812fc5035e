import type { Provider } from '../providers/provider.ts';
import { OpenDictionary } from './open-dictionary.ts';
import type { ConformanceCapabilities, ConformanceOptions, ConformanceStorage } from './options.ts';

/** Tests of one idea. */
export interface Chapter {
  readonly title: string;
  register(suite: Suite): void;
}

/** What a chapter registers its tests with. */
export interface Suite {
  readonly claims: ConformanceCapabilities;
  readonly refusable: ConformanceOptions['refusable'];
  readonly test: (name: string, body: (bench: Bench) => Promise<void>) => unknown;
}

/** Registers the tests of a chapter, if it has any for this provider. */
export function registerChapter(chapter: Chapter, options: ConformanceOptions): void {
  const { runner, createStorage, capabilities, refusable } = options;
  const tests: { readonly name: string; readonly body: (bench: Bench) => Promise<void> }[] = [];
  chapter.register({ claims: capabilities, refusable, test: (name, body) => tests.push({ name, body }) });
  if (tests.length === 0) return; // some runners fail an empty group
  runner.describe(chapter.title, () => {
    for (const { name, body } of tests) runner.it(name, async () => runTest(new Bench(await createStorage(), options), body));
  });
}

async function runTest(bench: Bench, body: (bench: Bench) => Promise<void>): Promise<void> {
  try {
    await body(bench);
  } catch (error) {
    await bench.clear().catch(() => undefined); // what went wrong first is what the reader needs
    throw error;
  }
  await bench.clear();
}

/** One test's storage, and what was opened on it. */
export class Bench {
  readonly provider: Provider;
  /** Whether what is stored can be looked at after reopening. */
  readonly persistent: boolean;
  readonly #storage: ConformanceStorage;
  readonly #limitMs: number;
  readonly #opened = new Set<OpenDictionary>();

  constructor(storage: ConformanceStorage, { capabilities, limitMs }: ConformanceOptions) {
    this.#storage = storage;
    this.persistent = capabilities.persistent;
    this.#limitMs = limitMs ?? 15_000;
    this.provider = storage.provider();
  }

  /** Another provider on the same storage. */
  anotherProvider(): Provider {
    return this.#storage.provider();
  }

  async open(name = 'dictionary', provider = this.provider): Promise<OpenDictionary> {
    const dictionary = await OpenDictionary.open(provider, name, this.#limitMs);
    this.#opened.add(dictionary);
    return dictionary;
  }

  async close(dictionary: OpenDictionary): Promise<void> {
    this.#opened.delete(dictionary);
    await dictionary.close();
  }

  /** Closes the dictionary, and opens it as the next run of the program would. */
  async reopen(dictionary: OpenDictionary, name = 'dictionary'): Promise<OpenDictionary> {
    await this.close(dictionary);
    return this.open(name, this.anotherProvider());
  }

  async clear(): Promise<void> {
    try {
      for (const dictionary of this.#opened) await this.close(dictionary);
    } finally {
      await this.#storage.remove();
    }
  }
}
