import { Observable, ReplaySubject, type Subscriber } from 'rxjs';

import type { Connection as ConnectionStatus, Status } from '../../change.ts';
import { ProviderError, ReadOnlyError } from '../../errors.ts';
import type { BatchResult } from '../../mutation.ts';
import type { Capabilities, CommitFeed, Cursor, Entry, Feed, Page, ProviderSession } from '../provider.ts';
import { Connection } from './connection.ts';
import type { ServerEvent } from './event-parser.ts';
import { readChanges, readEntries, readId, readStatus } from './messages.ts';
import type { RemoteSettings } from './options.ts';

/** Entries in a page of `load`. */
const PAGE_SIZE = 1_000;
/** The longest that a timer of Node waits. */
const FOR_LONG_MS = 2 ** 31 - 1;

/** A connection on which a snapshot is to come, or, with a version, stands behind it. */
interface Held {
  readonly connection: Connection;
  readonly version?: number;
}

/** A store that a server has, followed over its feed. */
export class RemoteSession implements ProviderSession {
  readonly capabilities: Capabilities = { shared: true, durability: 'memory', readOnly: true };
  readonly status$: Observable<Status>;
  readonly #storeName: string;
  readonly #settings: RemoteSettings;
  readonly #status = new ReplaySubject<Status>(1);
  readonly #watching = new Set<Subscriber<Feed>>();
  /** While it is open a process goes on: its connections would keep it alive, and it must not end where one is made anew. */
  readonly #alive = setInterval(() => undefined, FOR_LONG_MS);
  /** Which run of the server is followed, and the version that its first place has here: versions grow from run to run. */
  #epoch = { id: '', firstVersion: 0 };
  #version = 0;
  #held: Held | undefined;
  #told: Status = { state: 'idle', pending: 0, fullness: 0, lastSavedAt: undefined };
  #connection: ConnectionStatus = { state: 'connected' };
  /** What was told of the status last. */
  #statusText = '';
  /** The connection that had caught up last. */
  #live: Connection | undefined;
  #isClosed = false;

  /** @param connection one that was opened, on which all is to be told. */
  constructor(storeName: string, settings: RemoteSettings, connection: Connection) {
    this.#storeName = storeName;
    this.#settings = settings;
    this.#held = { connection };
    this.status$ = this.#status.asObservable();
  }

  async *load(): AsyncGenerator<Page, void> {
    const connection = this.#takeHeld(undefined) ?? (await this.#connect());
    const snapshot = new Map<string, string>();
    let version: number;
    try {
      version = await this.#readSnapshot(connection, snapshot);
    } catch (error) {
      connection.close();
      if (!this.#isWatched) this.#lost();
      throw error;
    }
    // A feed that is followed meanwhile goes on where it is.
    if (this.#isWatched || this.#isClosed) connection.close();
    else this.#hold({ connection, version });
    const entries = Array.from(snapshot, ([key, json]): Entry => ({ key, json, version }));
    for (let from = 0; from === 0 || from < entries.length; from += PAGE_SIZE) yield { version, entries: entries.slice(from, from + PAGE_SIZE) };
  }

  write(): Promise<BatchResult> {
    return Promise.reject(new ReadOnlyError(`remote: ${JSON.stringify(this.#storeName)} is read only`));
  }

  watch({ version }: Cursor): Observable<Feed> {
    return new Observable<Feed>((subscriber) => {
      if (this.#isClosed) {
        subscriber.complete();
        return;
      }
      const connection = this.#takeHeld(version) ?? this.#newConnection(this.#idOf(version));
      this.#watching.add(subscriber);
      subscriber.add(() => {
        this.#watching.delete(subscriber);
        if (this.#held?.connection !== connection) connection.close();
      });
      this.#follow(connection, subscriber).catch((error: unknown) => {
        if (subscriber.closed) return;
        this.#lost();
        subscriber.error(error);
      });
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#alive);
    for (const subscriber of [...this.#watching]) subscriber.complete();
    this.#takeHeld(undefined)?.close();
    this.#status.complete();
    return Promise.resolve();
  }

  get #isWatched(): boolean {
    return this.#watching.size > 0;
  }

  async #follow(connection: Connection, subscriber: Subscriber<Feed>): Promise<void> {
    const isOver = (): boolean => subscriber.closed;
    if (!connection.isOpen) await connection.open();
    while (!isOver()) {
      const event = await connection.next();
      if (isOver()) return;
      if (event?.name === 'reset') {
        this.#hold({ connection });
        subscriber.next({ type: 'reset' });
        subscriber.complete();
        return;
      }
      if (event?.name === 'live') this.#tellConnected(connection);
      const commit = this.#commitOf(event);
      if (commit !== undefined) subscriber.next(commit);
    }
  }

  /** What an event of a feed tells. @throws ProviderError if there is none to come. */
  #commitOf(event: ServerEvent | undefined): CommitFeed | undefined {
    switch (event?.name) {
      case 'status':
        this.#tell(readStatus(event.data));
        return undefined;
      case 'live':
      case '':
        return this.#commit(event, []);
      case 'changes':
        return this.#commit(event, readChanges(event.data));
      case undefined:
      case 'closed':
        throw this.#ended(event);
      default: // of a newer server
        return undefined;
    }
  }

  #commit({ id }: ServerEvent, changes: ReturnType<typeof readChanges>): CommitFeed {
    const { epoch } = readId(id);
    if (epoch !== this.#epoch.id) throw new ProviderError('The server has begun anew meanwhile.', { kind: 'retry' }); // as was found by a reload
    const version = this.#versionOf(id);
    const cleared = changes.some(({ type }) => type === 'clear');
    const entries = changes.flatMap((change) => (change.type === 'set' ? [{ key: change.key, json: JSON.stringify(change.value), version }] : []));
    const gone = (kind: 'delete' | 'expire'): string[] => changes.flatMap((change) => (change.type === kind ? [change.key] : []));
    return { type: 'commit', cursor: { version }, cleared, entries, deleted: gone('delete'), expired: gone('expire') };
  }

  /** Fills `snapshot` with all there is at one moment. Resolves to its version. */
  async #readSnapshot(connection: Connection, snapshot: Map<string, string>): Promise<number> {
    for (;;) {
      const event = await connection.next();
      switch (event?.name) {
        case 'reset':
          snapshot.clear();
          break;
        case 'entries':
          for (const [key, value] of readEntries(event.data)) snapshot.set(key, JSON.stringify(value));
          break;
        case 'changes':
          for (const change of readChanges(event.data)) {
            if (change.type === 'set') snapshot.set(change.key, JSON.stringify(change.value));
            else if (change.type === 'clear') snapshot.clear();
            else snapshot.delete(change.key);
          }
          break;
        case 'status':
          this.#tell(readStatus(event.data));
          break;
        case 'live':
          if (!this.#isWatched) this.#tellConnected(connection);
          return this.#versionOf(event.id);
        case undefined:
        case 'closed':
          throw this.#ended(event);
        default: // of a newer server
      }
    }
  }

  #ended(event: ServerEvent | undefined): ProviderError {
    return new ProviderError(event === undefined ? 'The server ended the connection.' : `The store ${JSON.stringify(this.#storeName)} was closed where it is served.`, { kind: 'retry' });
  }

  #versionOf(id: string | undefined): number {
    const { epoch, seq } = readId(id);
    if (epoch !== this.#epoch.id) this.#epoch = { id: epoch, firstVersion: this.#version + 1 };
    const version = this.#epoch.firstVersion + seq;
    this.#version = Math.max(this.#version, version);
    return version;
  }

  /** The id of what is known as `version`; `undefined` if that was in an earlier run of the server. */
  #idOf(version: number): string | undefined {
    const { id, firstVersion } = this.#epoch;
    return id === '' || version < firstVersion ? undefined : `${id}:${version - firstVersion}`;
  }

  #newConnection(lastEventId?: string): Connection {
    return new Connection(this.#storeName, this.#settings, lastEventId);
  }

  async #connect(): Promise<Connection> {
    const connection = this.#newConnection();
    await connection.open();
    return connection;
  }

  /** Takes what is held, if it stands at `version`; what stands elsewhere is of no use. */
  #takeHeld(version: number | undefined): Connection | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held?.version === version) return held?.connection;
    held?.connection.close();
    return undefined;
  }

  #hold(held: Held): void {
    this.#held?.connection.close();
    this.#held = held;
  }

  #tell(status: Status): void {
    this.#told = status;
    this.#tellStatus();
  }

  /** What is known is true, as long as something is heard on `live`. */
  #tellConnected(live: Connection): void {
    this.#live = live;
    this.#connection = { state: 'connected' };
    this.#tellStatus();
  }

  #lost(): void {
    if (this.#connection.state === 'reconnecting') return;
    this.#connection = { state: 'reconnecting', staleSince: this.#live?.heardAt ?? Date.now() };
    this.#tellStatus();
  }

  /** The store that is served may follow another one itself, and be no newer than that connection. */
  #tellStatus(): void {
    const connection = this.#connection.state === 'connected' ? (this.#told.connection ?? this.#connection) : this.#connection;
    const text = JSON.stringify([this.#told, connection]);
    if (text !== this.#statusText) this.#status.next({ ...this.#told, connection });
    this.#statusText = text;
  }
}
