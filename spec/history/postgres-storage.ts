import { setTimeout as delay } from 'node:timers/promises';

import pg from 'pg';
import { persistify } from 'rx-persistify';

import { EmbeddedServer } from '../../demos/support/embedded-server.ts';
import type { Random } from '../crash/random.ts';
import type { AuditRow } from './audit.ts';
import type { StoredRow } from './checker.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import { suspension } from './member-process.ts';
import { providerAt, storeName, type Place } from './place.ts';
import type { Fault, Storage } from './storage.ts';

/** Told by triggers within each commit. A commit's rows stand together, as it holds the lock on the head, and behind them its row in the log. */
const trail = `
CREATE TABLE history_audit (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, type text NOT NULL, key text, value text, version bigint, number bigint);
CREATE FUNCTION history_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN INSERT INTO history_audit (type, key) VALUES ('delete', OLD.key);
  ELSE INSERT INTO history_audit (type, key, value, version) VALUES ('set', NEW.key, NEW.value::text, NEW.version);
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION history_committed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO history_audit (type, key, version, number) VALUES ('commit', NEW.writer, NEW.version, NEW.number);
  RETURN NULL;
END $$;
CREATE TRIGGER history_changed AFTER INSERT OR DELETE OR UPDATE OF value, version ON history FOR EACH ROW EXECUTE FUNCTION history_changed();
CREATE TRIGGER history_committed AFTER INSERT ON rx_persistify_log FOR EACH ROW EXECUTE FUNCTION history_committed();`;

const auditPage = 20_000;
const head = `SELECT head FROM rx_persistify_dictionaries WHERE name = '${storeName}'`;

export interface PostgresStorageConfig {
  readonly random: Random;
  readonly processes: number;
  readonly pollMs: number | undefined;
}

/** A history in a PostgreSQL server of its own, with a proxy before it for each process. */
export class PostgresStorage implements Storage {
  readonly faults: readonly Fault[];
  readonly #config: PostgresStorageConfig;
  readonly #server: EmbeddedServer;
  readonly #proxies: readonly CuttingProxy[];

  static async open(config: PostgresStorageConfig): Promise<PostgresStorage> {
    const server = await EmbeddedServer.start();
    const proxies = await Promise.all(Array.from({ length: config.processes }, () => CuttingProxy.start(server.port)));
    return new PostgresStorage(config, server, proxies);
  }

  private constructor(config: PostgresStorageConfig, server: EmbeddedServer, proxies: readonly CuttingProxy[]) {
    this.#config = config;
    this.#server = server;
    this.#proxies = proxies;
    const { random } = config;
    this.faults = [
      { name: 'answer-lost', weight: 5, isOfWriters: true, inject: ({ plan, gone }) => Promise.race([this.#proxy(plan.slot).cutNextCommit(), gone, delay(5_000)]).then(() => undefined) },
      { name: 'connections-cut', weight: 3, inject: ({ plan }) => this.#proxy(plan.slot).cutAll() },
      { name: 'feed-cut', weight: 2, inject: ({ plan }) => this.#proxy(plan.slot).cutFeed(false) },
      { name: 'feed-silent', weight: 1, inject: ({ plan }) => this.#proxy(plan.slot).cutFeed(true) },
      { name: 'terminated', weight: 2, inject: ({ plan }) => this.#terminate(plan.slot) },
      { name: 'locked', weight: 2, inject: () => this.#holdLock(random.magnitude(20, 1_500)) },
      { name: 'server-suspended', weight: 1, inject: () => this.#suspend(random.magnitude(50, 1_500)) },
      suspension(random),
    ];
  }

  async prepare(): Promise<number> {
    const store = await persistify(providerAt({ provider: 'postgres', connection: this.#server.url() })).open(storeName);
    await store.close();
    return this.#with(async (client) => {
      await client.query(trail);
      return Number((await client.query<[string]>({ text: head, rowMode: 'array' })).rows[0]?.[0]);
    });
  }

  place(slot: number): Place {
    const { pollMs } = this.#config;
    const connection = `${this.#server.url({ port: this.#proxy(slot).port })}?application_name=${applicationName(slot)}`;
    return { provider: 'postgres', connection, ...(pollMs === undefined ? {} : { pollMs }) };
  }

  async restart(): Promise<void> {
    const { random } = this.#config;
    await this.#server.stop(random.weighted({ fast: 1, immediate: 1, kill: 1 }));
    await delay(random.whole(0, 500));
    await this.#server.start();
  }

  async *audit(): AsyncIterable<AuditRow> {
    const text = `SELECT position, type, key, value, version, number FROM history_audit WHERE position > $1 ORDER BY position LIMIT ${auditPage}`;
    let after: unknown = 0;
    for (;;) {
      const { rows } = await this.#with((client) => client.query<unknown[]>({ text, values: [after], rowMode: 'array' }));
      for (const row of rows) yield auditRow(row);
      if (rows.length < auditPage) return;
      after = rows.at(-1)?.[0];
    }
  }

  async stored(): Promise<readonly StoredRow[]> {
    const { rows } = await this.#with((client) => client.query<unknown[]>({ text: 'SELECT key, value::text FROM history', rowMode: 'array' }));
    return rows.map(([key, json]) => ({ key: String(key), json: String(json) }));
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    await this.#server.remove();
  }

  /** By the server, as an administrator would. */
  async #terminate(slot: number): Promise<void> {
    const text = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1';
    await this.#ifThere((client) => client.query(text, [applicationName(slot)]));
  }

  /** Another transaction that every commit must wait for. */
  async #holdLock(forMs: number): Promise<void> {
    await this.#ifThere(async (client) => {
      await client.query('BEGIN');
      await client.query(`${head} FOR UPDATE`);
      await delay(forMs);
      await client.query('ROLLBACK');
    });
  }

  /** As a machine that hangs. */
  async #suspend(forMs: number): Promise<void> {
    try {
      await this.#server.suspend();
      await delay(forMs);
    } catch {
      // It is just being started again.
    } finally {
      await this.#server.resume().catch(() => undefined);
    }
  }

  /** What cannot be done as the server is away need not be. */
  async #ifThere(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
    await this.#with(work).catch(() => undefined);
  }

  async #with<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: this.#server.url(), connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined); // what is under way fails by itself
    try {
      await client.connect();
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  #proxy(slot: number): CuttingProxy {
    const proxy = this.#proxies[slot];
    if (proxy === undefined) throw new Error(`There is no proxy ${slot}.`);
    return proxy;
  }
}

function applicationName(slot: number): string {
  return `history-${slot}`;
}

function auditRow([, type, key, value, version, number]: readonly unknown[]): AuditRow {
  if (type === 'set') return { type, key: String(key), json: String(value), version: Number(version) };
  if (type === 'delete') return { type, key: String(key) };
  return { type: 'commit', writer: String(key), version: Number(version), number: Number(number) };
}
