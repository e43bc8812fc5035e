import { ProviderError } from '../../errors.ts';
import { checkOut, loadDriver, onEvent, type CheckedOut, type Client, type Driver, type DriverConfig, type OwnPool, type Pool } from './driver.ts';
import { describeFailure } from './failures.ts';
import { Lease, type Use } from './lease.ts';
import type { PostgresConnection, PostgresSettings } from './options.ts';

/** A connection that was made for one purpose. */
export interface OwnConnection {
  readonly client: Client;
  /** Never fails. */
  end(): void;
}

/** For how long `close` waits for connections that are in use. */
const closePatienceMs = 5_000;

const ignore = (): void => undefined;

/** The connections of a provider: a pool, and those that are asked for by themselves. */
export class Connections {
  /** Where they lead, without user and password: `PostgreSQL at localhost:5432/app`. */
  readonly place: string;
  readonly #settings: PostgresSettings;
  readonly #driver: Driver | undefined;
  readonly #pool: Pool;
  readonly #ownPool: OwnPool | undefined;
  readonly #leases = new Set<Lease>();
  /** How many connections are waited for or in use. */
  #users = 0;
  #onIdle: () => void = ignore;

  constructor(settings: PostgresSettings) {
    const isDriverNeeded = settings.pool === undefined || typeof settings.listen !== 'boolean';
    const driver = isDriverNeeded ? loadDriver() : undefined;
    this.#settings = settings;
    this.#driver = driver;
    if (settings.pool === undefined && driver !== undefined) {
      const config = driverConfig(settings, settings.connection, !settings.pooler);
      this.#ownPool = new driver.Pool({ ...config, max: settings.poolSize, allowExitOnIdle: true });
      onEvent(this.#ownPool, 'error', ignore); // an idle connection was lost; the pool has let go of it
    }
    const pool = this.#ownPool ?? settings.pool;
    if (pool === undefined) throw new ProviderError('There is neither a connection nor a pool.', { kind: 'halt' });
    this.#pool = pool;
    this.place = placeOf(settings, driver);
  }

  /**
   * Works with a connection that nobody else has meanwhile.
   * @throws ProviderError whatever fails.
   */
  async use<T>(work: (client: Client) => Promise<T>, use: Use): Promise<T> {
    const lease = await this.lease(use);
    try {
      const result = await work(lease.client);
      lease.end();
      return result;
    } catch (error) {
      throw lease.fail(error);
    }
  }

  /**
   * A connection that nobody else has until the lease ends.
   * @throws ProviderError if there is none.
   */
  async lease(use: Use): Promise<Lease> {
    this.#users++;
    try {
      const checkedOut = await this.#connect(use);
      const lease = new Lease(checkedOut, {
        use,
        place: this.place,
        queryTimeoutMs: queryTimeoutMs(this.#settings),
        onEnd: () => {
          this.#leases.delete(lease);
          this.#leave();
        },
      });
      this.#leases.add(lease);
      return lease;
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  #leave(): void {
    if (--this.#users === 0) this.#onIdle();
  }

  /**
   * A connection of its own, for LISTEN; it does not keep the process alive.
   * @param onLost told once when it is lost.
   */
  async own(onLost: (error: unknown) => void): Promise<OwnConnection> {
    const { listen, connection, pool } = this.#settings;
    if (typeof listen === 'boolean' && pool !== undefined) return this.#ownOfPool(pool, onLost);
    if (this.#driver === undefined) throw new ProviderError('The driver is not loaded.', { kind: 'halt' });
    const client = new this.#driver.Client(driverConfig(this.#settings, typeof listen === 'boolean' ? connection : listen, false));
    onEvent(client, 'error', onLost);
    try {
      const connecting = client.connect();
      client.unref?.(); // at once, as it may take its time
      await connecting;
      client.unref?.();
    } catch (error) {
      client.end().catch(ignore);
      throw error;
    }
    return { client, end: () => void client.end().catch(ignore) };
  }

  async #ownOfPool(pool: Pool, onLost: (error: unknown) => void): Promise<OwnConnection> {
    const { client } = await checkOut(pool, onLost);
    client.unref?.();
    return { client, end: () => client.release(true) };
  }

  /** Waits for what is under way, but not for ever. A pool that was given stays open. */
  async close(): Promise<void> {
    // A pool that is ended forgets who waits for one of its connections.
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      if (this.#users === 0) resolve();
    });
    const timer = setTimeout(() => {
      for (const lease of [...this.#leases]) lease.cut();
      this.#onIdle();
    }, closePatienceMs);
    await idle;
    clearTimeout(timer);
    await this.#ownPool?.end().catch(ignore);
  }

  /** Gives up when `signal` aborts; the connection that comes then is given back at once. */
  async #connect({ doing, signal }: Use): Promise<CheckedOut> {
    const connecting = checkOut(this.#pool, ignore); // what is under way on one that is lost fails by itself
    let abort = ignore;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const givenUp = new Promise<never>((_, reject) => {
      abort = () => reject(abandoned());
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort);
      // A pool that was given may have no bound of its own; ours has, and says more.
      timer = setTimeout(() => reject(new Error('timeout exceeded when trying to connect')), this.#settings.connectTimeoutMs + 500);
    });
    try {
      return await Promise.race([connecting, givenUp]);
    } catch (error) {
      connecting.then(({ client, hearNoMore }) => {
        client.release();
        hearNoMore();
      }, ignore);
      throw describeFailure(error, { doing, place: this.place });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** What a write that was not begun is ended with when nobody wants it any more. */
function abandoned(): ProviderError {
  return new ProviderError('The write was aborted before it was sent; nothing was stored.', { kind: 'retry' });
}

/** How long an answer is waited for: the server is to end the statement before. */
function queryTimeoutMs({ statementTimeoutMs }: PostgresSettings): number {
  return statementTimeoutMs + 5_000;
}

function driverConfig(settings: PostgresSettings, connection: string | PostgresConnection | undefined, hasSession: boolean): DriverConfig {
  return {
    ...(typeof connection === 'string' ? { connectionString: connection } : connection),
    connectionTimeoutMillis: settings.connectTimeoutMs,
    keepAlive: true,
    // As a setting of the connection, where there is a session that it is one of.
    ...(hasSession && { statement_timeout: settings.statementTimeoutMs }),
    fallback_application_name: 'rx-persistify',
  };
}

/** Asks node-postgres what the options and the environment come to. */
function placeOf(settings: PostgresSettings, driver: Driver | undefined): string {
  if (settings.pool !== undefined || driver === undefined) return 'PostgreSQL';
  const client: unknown = new driver.Client(driverConfig(settings, settings.connection, false));
  if (typeof client !== 'object' || client === null) return 'PostgreSQL';
  const [host, port, database] = ['host', 'port', 'database'].map((name) => String(Reflect.get(client, name)));
  return `PostgreSQL at ${host ?? ''}:${port ?? ''}/${database ?? ''}`;
}
