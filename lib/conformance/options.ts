import type { Capabilities, Provider } from '../providers/provider.ts';

/** What {@link providerConformance} needs to know of a provider, and to run with. */
export interface ConformanceOptions {
  /** Heads the tests: `sqlite`, `my-service`, … */
  readonly name: string;
  /** `describe` and `it` of node:test, vitest, mocha, jest, … Some tests store 20,000 entries: allow a test 30 seconds. */
  readonly runner: ConformanceRunner;
  /** Makes a fresh, empty storage; called once a test. */
  readonly createStorage: () => Promise<ConformanceStorage>;
  /** The manifest: tests of what it does not claim are not registered, and each session must say the same. */
  readonly capabilities: ConformanceCapabilities;
  /** An entry that this provider refuses for ever although the core lets it pass, to prove that it is left out alone; none: no such tests. */
  readonly refusable?: { readonly key: string; readonly json: string };
  /**
   * How long one answer of the provider may take before the test fails, in milliseconds.
   * @default 15_000
   */
  readonly limitMs?: number;
}

/** The two functions that test runners have in common. */
export interface ConformanceRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/** What a provider claims to be able to do. */
export interface ConformanceCapabilities {
  /** As in `Capabilities`: several sessions may have the same dictionary open. */
  readonly shared: boolean;
  /** As in `Capabilities`. */
  readonly durability: Capabilities['durability'];
  /** Whether what is stored survives closing every session and making a new provider. */
  readonly persistent: boolean;
  /** Whether sessions have `read`. */
  readonly read: boolean;
  /** Whether sessions have `watch`. */
  readonly watch: boolean;
}

/** A place for dictionaries, used by one test: a directory, a database, … */
export interface ConformanceStorage {
  /** A new provider on this same storage, as another process, or the next run of the program, would make it. */
  provider(): Provider;
  /** Removes everything. All sessions are closed by then. */
  remove(): Promise<void>;
}
