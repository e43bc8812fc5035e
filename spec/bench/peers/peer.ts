import type { Pair } from '../work.ts';

/** Where a peer stores: a directory that is there and empty at first, and a schema in a database that is not there at first. */
export interface PeerPlace {
  readonly directory: string;
  readonly postgresUrl: string;
  readonly schema: string;
}

/** What of a peer is measured, open. */
export interface PeerSession {
  /** Stores all; what the peer recommends for many at once, as durable as it can be had so. */
  readonly writeMany: (pairs: readonly Pair[]) => unknown;
  /** Stores one; resolves when it is as durable as the peer says. */
  readonly writeOne: (pair: Pair) => unknown;
  /** Has every value in hand as an object; gives how many those are. */
  readonly readAll: (keys: readonly string[]) => number | Promise<number>;
  readonly close: () => unknown;
}

/** Imports a module of the folder where the peer is installed. */
export type Load = (module: string) => Promise<unknown>;

/** A package, or one way to use it, that does similar work. */
export interface Peer {
  readonly name: string;
  /** With their versions; nothing: it is this library. */
  readonly packages: readonly string[];
  /** What a write that was awaited outlives. */
  readonly durability: string;
  /** How it is used, as its documentation recommends. */
  readonly use: string;
  readonly needsPostgres?: boolean;
  /** Whether what was written is there when it is opened again. */
  readonly isPersistent: boolean;
  readonly open: (place: PeerPlace, load: Load) => Promise<PeerSession>;
}
