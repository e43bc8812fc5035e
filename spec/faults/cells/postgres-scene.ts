import { ProviderError, type Failure, type Provider } from 'rx-persistify';
import { postgres, type PostgresOptions } from 'rx-persistify/postgres';
import { expect } from 'vitest';

import type { Mood } from '../../crash/workload.ts';
import type { TestServer } from '../../providers/postgres/server.ts';
import type { Proxy } from '../../support/network/proxy.ts';
import type { Tally } from '../form.ts';
import { fault, inColumns, type Cell, type Trial } from './matrix.ts';
import { Subject, type Found } from './subject.ts';

export const rowNumber = 10;
export const rowTitle = 'a PostgreSQL server, or the way to it, fails';

/** A fault that only PostgreSQL can have. */
export function serverFault(name: string, trial: Trial): void {
  fault(name, inColumns(['postgres'], trial, {
    memory: 'nothing lies between the store and a Map of the same process',
    'json-file': 'there is no server: files have their faults in rows 1 to 9',
    sqlite: 'there is no server: its file has its faults in rows 1 to 9',
  }));
}

export interface SceneOptions extends PostgresOptions {
  readonly mood?: Mood;
  /** A user whose password is his name, in place of the one who may do everything. */
  readonly user?: string;
}

/** A store in a schema of its own that reaches its server through a proxy, and soon gives up waiting. */
export class Scene {
  readonly subject: Subject;
  readonly proxy: Proxy;
  readonly schema: string;
  readonly #server: TestServer;

  static async open(server: TestServer, { random }: Pick<Cell, 'random'>, { mood = 'steady', user, ...options }: SceneOptions = {}): Promise<Scene> {
    const proxy = await server.proxy();
    const schema = options.schema ?? server.freshSchema();
    const connection = new URL(server.server.url({ port: proxy.port }));
    if (user !== undefined) [connection.username, connection.password] = [user, user];
    const provider = postgres({ connection: connection.href, schema, connectTimeoutMs: 200, pollMs: 50, ...options });
    return new Scene(server, proxy, schema, await Subject.open({ provider, random, mood }));
  }

  private constructor(server: TestServer, proxy: Proxy, schema: string, subject: Subject) {
    this.subject = subject;
    this.proxy = proxy;
    this.schema = schema;
    this.#server = server;
  }

  /** The same storage, as another program has it. */
  other(options: PostgresOptions = {}): Provider {
    return postgres({ connection: this.#server.url, schema: this.schema, pollMs: 50, ...options });
  }

  /** Uses the store until what is done to it meanwhile is over. */
  async during<T>(doing: Promise<T>): Promise<T> {
    let isOver = false;
    const ended = doing.finally(() => (isOver = true));
    const over = (): boolean => isOver;
    while (!over()) await this.subject.live(20);
    return ended;
  }

  /** Nothing reaches the server, of which it is seen whether it has what was acknowledged; then everything does again. */
  async expectAcknowledged(): Promise<void> {
    this.proxy.blackhole();
    try {
      await this.subject.expectKept(this.other());
    } finally {
      this.proxy.mend();
      this.proxy.cutAll();
    }
  }

  /** What could not be saved is saved, and all of it is there. */
  async recover(): Promise<Found> {
    await expect.poll(() => this.subject.flush(), { timeout: 30_000 }).toBe(true);
    await this.subject.close();
    expect(this.subject.hasTold('DATA_LOST'), 'that data was lost is told').toBe(false);
    return this.subject.expectKept(this.other(), { isWhole: true });
  }
}

/** What is expected of what `errors$` told. */
export interface Expected {
  /** Failures to save that tell of something else are not to be. */
  readonly kinds: readonly ('retry' | 'halt')[];
  /** At least one failure says this. */
  readonly says: RegExp;
}

/** Whether what `errors$` told was of the right kind, and what a person is to read in it. Returns how much it was. */
export function expectTold(failures: readonly Failure[], { kinds, says }: Expected): Tally {
  for (const { error, operation, fatal, willRetry, attempt, maxAttempts } of failures) {
    expect(error, `told of a ${operation}`).toBeInstanceOf(ProviderError);
    if (!(error instanceof ProviderError)) continue;
    expect(kinds, error.message).toContain(error.kind);
    if (operation === 'save') expect({ fatal, willRetry }, error.message).toEqual(error.kind === 'retry' && attempt < maxAttempts ? { fatal: false, willRetry: true } : { fatal: true, willRetry: false });
  }
  expect(failures.map(({ error }) => error.message)).toContainEqual(expect.stringMatching(says));
  return { told: failures.length };
}
