import type { Audit } from './audit.ts';
import type { JournalRecord } from './journal.ts';
import { keyName, keyNames } from './keys.ts';
import { PositionIndex } from './position-index.ts';
import type { ViolationKind, Violations } from './violations.ts';
import { nameOf, type WriteId } from './written-value.ts';

/** A change of this life's own that is not acknowledged yet; `id` 0 deletes. */
interface OwnChange {
  readonly id: WriteId;
  readonly seq: number;
  /** How far the observer had come with the key. */
  readonly before: number;
}

type Told = Extract<JournalRecord, { type: 'applied' | 'heard' }>;

/**
 * One life's journal, held against what storage tells. The rule for the order: of what a life is told of a key, its own writes
 * and others', that which reached storage stands there in the same order. An own write was stored after everything that its
 * store showed before, as it was made after it; and what it hides until it is saved is not told any more when it is later overtaken.
 */
export class Observer {
  readonly #life: number;
  readonly #audit: Audit;
  readonly #violations: Violations;
  /** Of each key, the latest position that the life is known to have come to. */
  readonly #reached = new Int32Array(keyNames.length).fill(-1);
  /** What `changes$` has told each key to have. */
  readonly #told = new Float64Array(keyNames.length);
  readonly #unsaved = new Map<number, OwnChange[]>();
  /** What storage is to decide, or has accepted before it is told. */
  readonly #conditional = new Set<WriteId>();
  /** Of the last change told. What was told before the store was in anybody's hands, memory shows; so the first one may be any. */
  #seq: number | undefined;
  readonly #written = new PositionIndex();
  #highest: WriteId = 0;
  #finals = 0;
  isEnded = false;
  applied = 0;
  heard = 0;
  acknowledged = 0;

  constructor(life: number, audit: Audit, violations: Violations) {
    this.#life = life;
    this.#audit = audit;
    this.#violations = violations;
  }

  /** Whether it can have made this write of its own: it told of it, or was killed before it could. */
  mayHaveWritten(id: WriteId): boolean {
    return this.#written.get(id) !== -1 || (!this.isEnded && id > this.#highest);
  }

  take(record: JournalRecord): void {
    switch (record.type) {
      case 'loaded':
        this.#load(record.key, record.id);
        break;
      case 'applied':
        this.#apply(record);
        break;
      case 'heard':
        this.#hear(record);
        break;
      case 'cleared':
        this.#clear(record.seq);
        break;
      case 'saved':
        this.#save(record.seq);
        break;
      case 'proposed':
        this.#conditional.add(record.id);
        this.#wrote(record.id);
        break;
      case 'accepted':
        this.#accept(record.key, record.id);
        break;
      case 'declined':
        this.#decline(record.key, record.id);
        break;
      case 'resolved':
        this.#resolve(record.key, record.id);
        break;
      case 'gap':
        this.#wrong('gap', `${keyName(record.key)} was told to have had ${nameOf(record.id)} before, and ${nameOf(this.#told[record.key] ?? 0)} was told last`);
        break;
      case 'final':
        this.#compare(record.key, record.id);
        break;
      case 'ended':
        this.#end();
        break;
    }
  }

  #load(key: number, id: WriteId): void {
    this.#told[key] = id;
    this.#reach(key, id, 'loaded');
  }

  #apply({ key, id, seq }: Told): void {
    this.#next(seq);
    if (id !== 0) {
      this.applied++;
      this.#wrote(id);
    }
    const before = this.#reached[key] ?? -1;
    this.#told[key] = id;
    // What storage decided is there when it is told.
    if (this.#conditional.delete(id)) {
      this.#reach(key, id, 'was told of its own');
      return;
    }
    this.#pend(key, { id, seq, before });
    // An own write that is overtaken before it is saved never reaches storage, and one that does may come later.
    if (id !== 0 && this.#audit.position(id) !== -1) this.#reach(key, id, 'wrote');
  }

  #hear({ key, id, seq }: Told): void {
    this.heard++;
    this.#next(seq);
    this.#told[key] = id;
    if (this.#unsaved.has(key)) this.#wrong('hidden', `it heard ${keyName(key)} become ${nameOf(id)} while its own ${nameOf(this.#unsaved.get(key)?.at(-1)?.id ?? 0)} was not saved`);
    if (id !== 0) this.#reach(key, id, 'heard');
    else this.#reachDeletion(key);
  }

  #clear(seq: number): void {
    this.#next(seq);
    for (const key of keyNames.keys()) {
      if (this.#told[key] === 0) continue;
      this.#told[key] = 0;
      this.#pend(key, { id: 0, seq, before: this.#reached[key] ?? -1 });
    }
  }

  /** Everything that was applied up to `seq` is in storage, or something newer of its key. */
  #save(seq: number): void {
    for (const [key, changes] of this.#unsaved) {
      const newer = changes.filter((change) => change.seq > seq);
      const last = changes.findLast((change) => change.seq <= seq);
      if (last === undefined) continue;
      if (newer.length === 0) this.#unsaved.delete(key);
      else this.#unsaved.set(key, newer);
      this.acknowledged++;
      if (last.id !== 0) this.#mustBeStored(key, last.id);
      else this.#mustBeDeleted(key, last, newer.length === 0);
    }
  }

  #accept(key: number, id: WriteId): void {
    this.acknowledged++;
    this.#mustBeStored(key, id);
  }

  #decline(key: number, id: WriteId): void {
    this.#conditional.delete(id);
    this.#wrote(id);
    if (this.#audit.position(id) !== -1) this.#wrong('declined', `${nameOf(id)} was said not to be stored, and ${keyName(key)} had it in storage`);
  }

  #resolve(key: number, id: WriteId): void {
    const unsaved = this.#unsaved.get(key)?.find((change) => change.id === id);
    if (unsaved !== undefined) this.#wrong('early', `the promise of ${nameOf(id)} under ${keyName(key)} resolved before it was told to be saved`);
  }

  #compare(key: number, id: WriteId): void {
    this.#finals++;
    const told = this.#told[key] ?? 0;
    const stored = this.#audit.finally(key);
    if (told !== id) this.#wrong('gap', `its memory had ${nameOf(id)} under ${keyName(key)} in the end, and ${nameOf(told)} was told last`);
    if (stored !== id) this.#wrong('diverged', `its memory had ${nameOf(id)} under ${keyName(key)} in the end, and storage has ${nameOf(stored)}`);
  }

  #end(): void {
    this.isEnded = true;
    const told = this.#told.filter((id) => id !== 0).length;
    if (told !== this.#finals) this.#wrong('gap', `its memory had ${this.#finals} entries in the end, and ${told} were told`);
    const stored = this.#audit.finalSize;
    if (stored !== this.#finals) this.#wrong('diverged', `its memory had ${this.#finals} entries in the end, and storage has ${stored}`);
    for (const [key, changes] of this.#unsaved) this.#wrong('lost', `${nameOf(changes.at(-1)?.id ?? 0)} under ${keyName(key)} was never told to be saved, though everything was in the end`);
  }

  #mustBeStored(key: number, id: WriteId): void {
    const position = this.#audit.position(id);
    if (position === -1) this.#wrong('lost', `${nameOf(id)} was acknowledged under ${keyName(key)}, and never was in storage`);
  }

  /** Where there was something when it was deleted, storage has had it deleted since, by this life or another. */
  #mustBeDeleted(key: number, { before }: OwnChange, isLatest: boolean): void {
    if (before === -1 || this.#audit.isDeletion(before)) return;
    const deletion = this.#audit.deletionAfter(key, before);
    if (deletion === undefined) this.#wrong('lost', `the deletion of ${keyName(key)} was acknowledged, and storage never did it`);
    else if (isLatest && deletion > (this.#reached[key] ?? -1)) this.#reached[key] = deletion;
  }

  #reach(key: number, id: WriteId, how: string): void {
    const position = this.#audit.position(id);
    const reached = this.#reached[key] ?? -1;
    if (position === -1 || this.#audit.keyAt(position) !== key) this.#wrong('phantom', `it ${how} ${nameOf(id)} under ${keyName(key)}, which storage never had there`);
    else if (position <= reached) this.#wrong('order', `it ${how} ${nameOf(id)} of ${keyName(key)}, number ${position} in storage, after number ${reached}`);
    else this.#reached[key] = position;
  }

  /** Which deletion it was is not told: the earliest that it can have been. */
  #reachDeletion(key: number): void {
    const reached = this.#reached[key] ?? -1;
    const deletion = this.#audit.deletionAfter(key, reached);
    if (deletion === undefined) this.#wrong('phantom', `it heard of a deletion of ${keyName(key)}, which storage never had after number ${reached}`);
    else this.#reached[key] = deletion;
  }

  #pend(key: number, change: OwnChange): void {
    const changes = this.#unsaved.get(key);
    if (changes === undefined) this.#unsaved.set(key, [change]);
    else changes.push(change);
  }

  #next(seq: number): void {
    if (this.#seq !== undefined && seq !== this.#seq + 1) this.#wrong('gap', `change ${seq} was told after change ${this.#seq}`);
    this.#seq = seq;
  }

  #wrote(id: WriteId): void {
    this.#written.set(id, 0);
    this.#highest = Math.max(this.#highest, id);
  }

  #wrong(kind: ViolationKind, what: string): void {
    this.#violations.add(kind, `life ${this.#life}: ${what}`);
  }
}
