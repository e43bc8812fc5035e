import { EventEmitter } from 'node:events';

import type pg from 'pg';

import { ProviderError } from '../../errors.ts';
import { loadPeer } from '../load-peer.ts';

/** A statement as node-postgres takes it, answered with rows as arrays. */
export interface Statement {
  /** Prepared under this name once a connection; none: it is not kept. */
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
  readonly rowMode: 'array';
  readonly query_timeout?: number;
  readonly types?: ValueParsers;
}

/** Chooses, by a type's number, what makes a value of its text. */
export interface ValueParsers {
  getTypeParser(type: number): (text: unknown) => unknown;
}

export interface Answer {
  readonly rows: readonly (readonly unknown[])[];
}

/** What is used of a connection of node-postgres; it is an event emitter, too. Structural, so that the public types need no package that a user may lack. */
export interface Client {
  query(statement: Statement): Promise<Answer>;
  query(text: string): Promise<unknown>;
}

/** A client that was made by itself. */
export interface OwnClient extends Client {
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
  /** Lets the process end while the connection is open. The types of pg do not know it. */
  unref?(): void;
}

/** A client of a pool. */
export interface PoolClient extends Client {
  /** Gives it back; `true`: it is closed, and none in its place. */
  release(destroy?: boolean): void;
  /** As of an {@link OwnClient}. */
  unref?(): void;
}

/** What is used of a `pg.Pool`. */
export interface Pool {
  connect(callback: (error: Error | undefined, client: PoolClient | undefined) => void): void;
}

/** A pool that was made by itself. */
export interface OwnPool extends Pool {
  end(): Promise<unknown>;
}

/** How to reach a server: the connection options of node-postgres. */
export interface PostgresConnection {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  /** The password, or what fetches it for each connection, such as a token that expires. */
  readonly password?: string | (() => string | Promise<string>);
  readonly database?: string;
  /** `true`, or the options of `tls.connect` of Node. */
  readonly ssl?: boolean | object;
  readonly application_name?: string;
  /** Settings for the server, as in `-c search_path=app`. */
  readonly options?: string;
}

/** What node-postgres is configured with. */
export interface DriverConfig extends PostgresConnection {
  readonly connectionString?: string;
  readonly connectionTimeoutMillis: number;
  readonly keepAlive: boolean;
  readonly statement_timeout?: number;
  readonly fallback_application_name: string;
}

export interface PoolConfig extends DriverConfig {
  readonly max: number;
  readonly allowExitOnIdle: boolean;
}

/** What is used of node-postgres. */
export interface Driver {
  readonly Client: new (config: DriverConfig) => OwnClient;
  readonly Pool: new (config: PoolConfig) => OwnPool;
}

/**
 * Loads pg, which is an optional peer: only once a dictionary is opened.
 * @throws ProviderError that names the npm command, if it is missing; of kind `retry`, if no file can be opened.
 */
export function loadDriver(): Driver {
  try {
    return loadPeer('pg') as typeof pg;
  } catch (error) {
    if (error instanceof ProviderError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProviderError(`The postgres provider needs the package pg, which cannot be loaded (${reason}): npm install pg`, { kind: 'halt', cause: error });
  }
}

/** Hears an event of a client or a pool, whose types differ from version to version. Returns what ends it. */
export function onEvent(emitter: unknown, event: 'error' | 'notification', listener: (told: unknown) => void): () => void {
  if (!(emitter instanceof EventEmitter)) throw new ProviderError('pg gave something that is no event emitter.', { kind: 'halt' });
  emitter.on(event, listener);
  return () => void emitter.off(event, listener);
}

/** How many bytes a client's connection has brought; always 0 with one that does not show its socket, as node-postgres does, whose types do not know it. */
export function bytesBrought(client: Client): number {
  const connection = memberOf(client, 'connection');
  const bytes = memberOf(memberOf(connection, 'stream'), 'bytesRead');
  return typeof bytes === 'number' ? bytes : 0;
}

function memberOf(owner: unknown, name: string): unknown {
  return typeof owner === 'object' && owner !== null ? Reflect.get(owner, name) : undefined;
}

/** A client that was taken from a pool. */
export interface CheckedOut {
  readonly client: PoolClient;
  /** For when the pool listens again. */
  readonly hearNoMore: () => void;
}

/**
 * Takes a client from the pool. A pool listens to idle clients only, and an 'error' event that nobody hears ends the process: so
 * this listens from the very call by which the pool hands the client over, as the same packet that brings its first answer may
 * bring the word that the server closes it.
 */
export function checkOut(pool: Pool, onLost: (told: unknown) => void): Promise<CheckedOut> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client === undefined) reject(error ?? new Error('The pool gave no connection.'));
      else resolve({ client, hearNoMore: onEvent(client, 'error', onLost) });
    });
  });
}
