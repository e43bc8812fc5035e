import { keyName, keyNames, keyNumber, kindOf, pairOf } from './keys.ts';
import { PositionIndex } from './position-index.ts';
import type { Violations } from './violations.ts';
import { countIn, idOf, nameOf, type WriteId } from './written-value.ts';

/**
 * What happened in storage, as storage itself tells it, by triggers of the harness's own: each row set or deleted, in the order
 * of commits, and behind those of a commit its mark.
 */
export type AuditRow =
  | { readonly type: 'set'; readonly key: string; readonly json: string; readonly version: number }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'commit'; readonly version: number; readonly writer: string; readonly number: number };

/** What a commit has done so far. */
interface OpenCommit {
  readonly versions: Set<number>;
  /** The first key of each pair that it changed. */
  readonly pairs: Set<number>;
}

/**
 * The order of what reached storage, from which everything else is judged. It is checked itself as it is taken up: nothing
 * comes twice, versions rise by one a commit, counters count, what is claimed was free, transactions are whole.
 */
export class Audit {
  readonly #violations: Violations;
  readonly #positions = new PositionIndex();
  /** The place of the key, of each position. */
  readonly #keys: number[] = [];
  /** Of each key, the positions at which it was deleted. */
  readonly #deletions: number[][] = keyNames.map(() => []);
  readonly #isDeletion: boolean[] = [];
  /** What each key has at the end of what was taken up; 0: nothing. */
  readonly #present = new Float64Array(keyNames.length);
  readonly #counts = new Int32Array(keyNames.length);
  readonly #numbers = new Map<string, number>();
  #commit: OpenCommit = { versions: new Set(), pairs: new Set() };
  #version: number;
  #commits = 0;
  #sets = 0;

  /** `version`: that of storage before the first commit. */
  constructor(violations: Violations, version: number) {
    this.#violations = violations;
    this.#version = version;
  }

  get commits(): number {
    return this.#commits;
  }

  /** How many writes reached storage. */
  get sets(): number {
    return this.#sets;
  }

  take(row: AuditRow): void {
    if (row.type === 'commit') {
      this.#takeCommit(row);
      return;
    }
    const key = keyNumber(row.key);
    if (key === undefined) this.#violations.add('phantom', `storage was given the key ${JSON.stringify(row.key)}, which is none of the history's`);
    else if (row.type === 'set') this.#takeSet(key, row);
    else this.#takeDelete(key);
  }

  /** Where the write stands in the order of storage; -1: it never was there. */
  position(id: WriteId): number {
    return this.#positions.get(id);
  }

  /** The key that a position is about. */
  keyAt(position: number): number | undefined {
    return this.#keys[position];
  }

  isDeletion(position: number): boolean {
    return this.#isDeletion[position] ?? false;
  }

  /** The first deletion of the key behind a position. */
  deletionAfter(key: number, position: number): number | undefined {
    const deletions = this.#deletions[key] ?? [];
    let from = 0;
    for (let to = deletions.length; from < to; ) {
      const middle = (from + to) >>> 1;
      if ((deletions[middle] ?? 0) > position) to = middle;
      else from = middle + 1;
    }
    return deletions[from];
  }

  /** What the key has in the end; 0: nothing. */
  finally(key: number): WriteId {
    return this.#present[key] ?? 0;
  }

  /** How many keys have something in the end. */
  get finalSize(): number {
    return this.#present.filter((id) => id !== 0).length;
  }

  ids(): Iterable<WriteId> {
    return this.#positions.ids();
  }

  #takeSet(key: number, { json, version }: Extract<AuditRow, { type: 'set' }>): void {
    const value = parse(json);
    const id = idOf(value);
    if (id === undefined) {
      this.#violations.add('phantom', `storage was given ${json.slice(0, 200)} under ${keyName(key)}, which nobody wrote`);
      return;
    }
    this.#sets++;
    if (this.#positions.get(id) !== -1) this.#violations.add('twice', `${nameOf(id)} was stored under ${keyName(key)} at version ${version}, and had been before`);
    this.#checkCondition(key, id, countIn(value));
    this.#positions.set(id, this.#keys.length);
    this.#keys.push(key);
    this.#isDeletion.push(false);
    this.#present[key] = id;
    this.#counts[key] = countIn(value);
    this.#commit.versions.add(version);
    this.#touchPair(key);
  }

  #takeDelete(key: number): void {
    if (this.#present[key] === 0) this.#violations.add('diverged', `storage deleted ${keyName(key)}, which it did not have by what it told before`);
    this.#deletions[key]?.push(this.#keys.length);
    this.#keys.push(key);
    this.#isDeletion.push(true);
    this.#present[key] = 0;
    this.#counts[key] = 0;
    this.#touchPair(key);
  }

  #checkCondition(key: number, id: WriteId, count: number): void {
    const kind = kindOf(key);
    const before = this.finally(key);
    if (kind === 'claim' && before !== 0) this.#violations.add('claim', `${nameOf(id)} was added as ${keyName(key)}, which ${nameOf(before)} had`);
    const counted = this.#counts[key] ?? 0;
    if (kind === 'counter' && count !== counted + 1) this.#violations.add('count', `${nameOf(id)} set ${keyName(key)} to ${count}, after ${nameOf(before)} had set it to ${counted}`);
  }

  #takeCommit({ version, writer, number }: Extract<AuditRow, { type: 'commit' }>): void {
    const { versions, pairs } = this.#commit;
    this.#commit = { versions: new Set(), pairs: new Set() };
    this.#commits++;
    if (version !== this.#version + 1) this.#violations.add('version', `version ${version} was committed after ${this.#version}`);
    for (const other of versions) if (other !== version) this.#violations.add('version', `the commit of version ${version} has a row of version ${other}`);
    this.#version = Math.max(version, this.#version);
    const last = this.#numbers.get(writer) ?? 0;
    if (number <= last) this.#violations.add('twice', `batch ${number} of the writer ${writer} was committed at version ${version}, after its batch ${last}`);
    this.#numbers.set(writer, Math.max(number, last));
    for (const pair of pairs) this.#checkPair(pair, version);
  }

  #touchPair(key: number): void {
    const [first] = kindOf(key) === 'pair' ? pairOf(key) : [];
    if (first !== undefined) this.#commit.pairs.add(first);
  }

  #checkPair(first: number, version: number): void {
    const ids = pairOf(first).map((key) => this.finally(key));
    const start = ids[0] ?? 0;
    const isWhole = ids.every((id, index) => id === (start === 0 ? 0 : start + index));
    if (!isWhole) this.#violations.add('torn', `after version ${version} ${keyName(first)} and those written with it are ${ids.map(nameOf).join(', ')}`);
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
