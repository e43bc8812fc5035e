import type { Quarantined } from './change.ts';
import type { Mutation } from './mutation.ts';

/**
 * Ties the mutations of transactions that touched a common key while they were pending, so that they are stored
 * together or not at all: a key has one mutation, and it cannot be in two.
 */
export class TransactionGroup {
  readonly number: number;
  #parent: TransactionGroup | undefined;
  /** How many there are at it and below, so that the smaller tree goes below the larger and none grows deep. */
  #size = 1;

  constructor(number: number) {
    this.number = number;
  }

  /** Stands for all that are joined. */
  get root(): TransactionGroup {
    return this.#parent?.root ?? this;
  }

  /** Returns what parts the two again, if they were not joined before; to be called last first. */
  join(other: TransactionGroup): (() => void) | undefined {
    const { root } = this;
    const { root: otherRoot } = other;
    if (root === otherRoot) return undefined;
    const [child, parent] = root.#size < otherRoot.#size ? [root, otherRoot] : [otherRoot, root];
    child.#parent = parent;
    parent.#size += child.#size;
    return () => {
      child.#parent = undefined;
      parent.#size -= child.#size;
    };
  }
}

/** What storage is known to hold under a key. */
export type Base<V> = StoredValue<V> | { readonly quarantined: Quarantined } | undefined;

export interface StoredValue<V> {
  readonly value: V;
  readonly version: number;
  readonly expiresAt?: number;
}

/** What a read finds under a key. While an overlay is there the value is the overlay's, else it is the base's. */
export interface Entry<V> {
  value: V;
  version: number;
  overlay: Overlay<V> | undefined;
  /** Only where there is a deadline, so that the others cost nothing for it. */
  readonly key?: string;
  /** As in `Ending`. */
  expiresAt?: number;
}

/** An entry with a deadline. */
export interface Mortal<V> extends Entry<V> {
  readonly key: string;
  expiresAt: number;
}

export function isMortal<V>(entry: Entry<V>): entry is Mortal<V> {
  return entry.expiresAt !== undefined;
}

/** An entry of the one shape or the other; `expiresAt` of `Infinity` is no deadline. */
export function entryOf<V>(key: string, value: V, version: number, overlay: Overlay<V> | undefined, expiresAt: number): Entry<V> {
  return expiresAt === Infinity ? { value, version, overlay } : { value, version, overlay, key, expiresAt };
}

/** One key's unsettled mutation, and the base that it hides; a `touch` hides nothing. */
export interface Overlay<V> {
  readonly key: string;
  type: 'set' | 'delete' | 'touch' | 'expire';
  /** The `revision` of the newest mutation in it. */
  revision: number;
  /** The text to store, of a `set`. */
  json: string | undefined;
  value: V | undefined;
  /** Of a `set` with a deadline, and of a `touch`. */
  expiresAt: number | undefined;
  group: TransactionGroup | undefined;
  /** The batch under way has it: a newer mutation of the key makes an overlay of its own, above this one. */
  flying: boolean;
  base: Base<V>;
  /** The one in the batch under way that this one hides; its `base` is then the lowest. */
  under: Overlay<V> | undefined;
  over: Overlay<V> | undefined;
}

/** An unsettled `clear`: everything that storage held before it is hidden. */
export interface Clearing {
  revision: number;
  group: TransactionGroup | undefined;
  /** The keys that storage still holds; told when asked, as a `clear` should cost nothing a key. */
  keys: () => Iterable<string>;
}

/** A write that storage decides: it is applied only when it is accepted. */
export interface Proposal<V> {
  readonly key: string;
  /** As of `Overlay`. */
  readonly revision: number;
  readonly value: V;
  readonly json: string;
  readonly expiresAt: number | undefined;
  /** How long it lives where its time can begin anew, if that is not the store's. */
  readonly ownTtl: number | undefined;
  /** The version that the key must have in storage; 0: it must be absent. */
  readonly expect: number;
  /** `superseded`: the key was written in this process before it was sent. */
  readonly resolve: (outcome: 'accepted' | 'conflict' | 'superseded') => void;
  readonly reject: (error: Error) => void;
}

/** What one batch was made of, until it is settled. */
export interface Flight<V> {
  /** The store's `seq` when the batch was closed: the batch is the store as it was then. */
  readonly seq: number;
  /** Likewise. */
  readonly revision: number;
  readonly mutations: readonly Mutation[];
  /** As long as `mutations`, but for a `clear`, which stands first and has none. */
  readonly overlays: readonly Overlay<V>[];
  readonly cleared: Clearing | undefined;
  /** By key; their mutations come last. */
  readonly proposals: ReadonlyMap<string, Proposal<V>>;
  readonly bytes: number;
  /** So many of `overlays`, the first, have become base at `version`, ahead of the others, but for `rest`, which are no sets. */
  sunk: number;
  version: number;
  readonly rest: Overlay<V>[];
}

/** The keys that storage may hold of what a `clear` hides. */
export function* storedKeys<V>({ view, hidden, quarantined }: { readonly view: ReadonlyMap<string, Entry<V>>; readonly hidden: ReadonlyMap<string, Overlay<V>>; readonly quarantined: ReadonlyMap<string, Quarantined> }): Generator<string> {
  for (const [key, { overlay }] of view) if (overlay === undefined || isOverStored(overlay)) yield key;
  for (const [key, overlay] of hidden) if (isOverStored(overlay)) yield key;
  yield* quarantined.keys();
}

/** Whether storage may hold something under the overlay's key. */
function isOverStored({ flying, under, base }: Overlay<unknown>): boolean {
  return flying || under !== undefined || base !== undefined;
}

/** The one of its key whose base storage holds. */
export function lowest<V>(overlay: Overlay<V>): Overlay<V> {
  return overlay.under ?? overlay;
}

/** Whether reads see it and not what storage holds. */
export function hides(overlay: Overlay<unknown> | undefined): boolean {
  return overlay !== undefined && (overlay.type !== 'touch' || hides(overlay.under));
}

/** As what an unreadable row is hidden, if there is one. */
export function asBase<V>(quarantined: Quarantined | undefined): Base<V> {
  return quarantined === undefined ? undefined : { quarantined };
}

/** In UTF-16 units. */
export function sizeOf(overlay: { readonly key: string; readonly json: string | undefined }): number {
  return overlay.key.length + (overlay.json?.length ?? 0);
}

/**
 * JSON.stringify of V8 leaves a longer text in pieces, of which it is put together when it is first looked into. A text that
 * waits to be saved takes half as much memory again as long as it is not, and as the pieces are moved one by one, collecting
 * garbage takes longer.
 */
export function inOnePiece(json: string): string {
  return json.charCodeAt(0) === 0 ? '' : json; // which no text of JSON is
}
