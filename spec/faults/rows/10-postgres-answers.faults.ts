import { persistify, type Store } from 'rx-persistify';
import { postgres, type PostgresOptions } from 'rx-persistify/postgres';
import { expect, onTestFinished } from 'vitest';

import { TestServer } from '../../providers/postgres/server.ts';
import { recorded } from '../../support/controlled-provider.ts';
import type { Proxy } from '../../support/network/proxy.ts';
import { row } from '../cells/matrix.ts';
import { expectTold, rowNumber, rowTitle, serverFault } from '../cells/postgres-scene.ts';

const database = new TestServer({ settings: { max_connections: 200 } });

/** In each request for a commit. */
const commit = 'rx_persistify_commit';

row(rowNumber, rowTitle, () => {
  serverFault('the answer to a commit is lost, and another process has written a newer value', async (cell) => {
    const rounds = cell.times(60, 3_000);
    const schema = database.freshSchema();
    const proxy = await database.proxy();
    const near = await open({ schema, connection: database.server.url({ port: proxy.port }) });
    const far = await open({ schema });
    const failures = recorded(near.errors$);
    for (let round = 0; round < rounds; round++) {
      const key = `key ${cell.random.whole(1, 5)}`;
      const isDeleted = cell.random.chance(0.3);
      const lost = proxy.at(commit, 'cut');
      const retried = proxy.at(commit, 'hold');
      near.set(`beside ${round % 20}`, round);
      const saving = near.setAndSave(key, `mine ${round}`);
      await Promise.all([lost, retried]);
      await expect.poll(() => far.get(key), { interval: 2 }).toBe(`mine ${round}`);
      await (isDeleted ? far.deleteAndSave(key) : far.setAndSave(key, `theirs ${round}`));
      void proxy.release();
      expect(await saving).toBe(true);
      const expected = isDeleted ? undefined : `theirs ${round}`;
      await expect.poll(() => near.get(key), { interval: 2 }).toBe(expected);
      expect((await stored(schema)).get(key)).toBe(expected);
    }
    await expect.poll(() => [...near].sort()).toEqual([...far].sort());
    expect(new Map(near)).toEqual(await stored(schema));
    const saves = failures.filter(({ operation }) => operation === 'save');
    expect(saves.map(({ willRetry, error }) => willRetry && 'outcomeUnknown' in error && error.outcomeUnknown)).toEqual(Array.from({ length: rounds }, () => true));
    return { rounds, ...expectTold(failures, { kinds: ['retry'], says: /Connection terminated|ECONNRESET/ }) };
  });

  serverFault('an attempt commits after its retry did', async (cell) => {
    const [groups, size] = [cell.times(1, 50), 20];
    for (let group = 0; group < groups; group++) {
      const schema = database.freshSchema();
      const far = postgres({ connection: database.url, schema });
      const overtaken = await Promise.all(Array.from({ length: size }, (_, index) => Overtaken.prepare(schema, far, `store ${index}`)));
      // They all wait at once for the time in which an answer is to come.
      await Promise.all(overtaken.map((one) => one.overtake()));
      await Promise.all(overtaken.map((one) => one.release()));
      await Promise.all(overtaken.map((one) => one.expectNewest()));
      await Promise.all(overtaken.map((one) => one.close())); // for a server has room for so many
    }
    return { attempts: groups * size };
  });
});

/** A store one of whose attempts is on its way for so long that its retry, and another process after that, come first. */
class Overtaken {
  readonly #proxy: Proxy;
  readonly #near: Store<Values>;
  readonly #far: Store<Values>;

  static async prepare(schema: string, provider: ReturnType<typeof postgres>, name: string): Promise<Overtaken> {
    const far = await persistify(provider).open<Values>(name);
    onTestFinished(() => far.close());
    const proxy = await database.proxy();
    const near = await open({ schema, connection: database.server.url({ port: proxy.port }), listen: false, statementTimeoutMs: 1_000 }, name);
    return new Overtaken(proxy, near, far);
  }

  private constructor(proxy: Proxy, near: Store<Values>, far: Store<Values>) {
    this.#proxy = proxy;
    this.#near = near;
    this.#far = far;
  }

  async overtake(): Promise<void> {
    await this.#near.setAndSave('key', 'before');
    const failures = recorded(this.#near.errors$);
    const held = this.#proxy.at(commit, 'hold');
    const saving = this.#near.setAndSave('key', 'mine');
    await held;
    expect(await saving).toBe(true);
    expectTold(failures, { kinds: ['retry'], says: /Query read timeout/ });
    await expect.poll(() => this.#far.get('key')).toBe('mine');
    await this.#far.setAndSave('key', 'theirs');
  }

  /** The attempt comes, after all. */
  async release(): Promise<void> {
    const [answer] = await this.#proxy.release();
    expect(answer?.toString('latin1')).toContain('settled');
  }

  async expectNewest(): Promise<void> {
    await expect.poll(() => this.#near.get('key')).toBe('theirs');
    await this.#far.reload();
    expect(this.#far.get('key')).toBe('theirs');
    await this.#near.setAndSave('key', 'after');
    await expect.poll(() => this.#far.get('key')).toBe('after');
  }

  async close(): Promise<void> {
    await Promise.all([this.#near.close(), this.#far.close()]);
    await this.#proxy.close();
  }
}

type Values = Record<string, unknown>;

async function open(options: PostgresOptions, name = 'prefs'): Promise<Store<Values>> {
  const provider = postgres({ connection: database.url, pollMs: 50, ...options });
  const store = await persistify(provider).withBatch({ intervalMs: 1 }).withRetry({ delayMs: 1, maxDelayMs: 5 }).open<Values>(name);
  onTestFinished(() => store.close());
  return store;
}

async function stored(schema: string): Promise<ReadonlyMap<string, unknown>> {
  const rows = await database.sql(`SELECT key, value FROM ${schema}.prefs`);
  return new Map(rows.map(({ key, value }) => [String(key), value]));
}
