import { setTimeout as delay } from 'node:timers/promises';

import { CorruptDataError, type PersistifyError } from '../../errors.ts';
import { FileSigns } from '../file-signs.ts';
import type { CommitFeed, Feed } from '../provider.ts';
import { commitOf } from './commit-of.ts';
import { ignore } from './durable-file.ts';
import { failureOf, isMissing } from './failure.ts';
import type { StoreFiles } from './file-names.ts';
import { checkTakenIn, openedAsSame, removed } from './foreign-edit.ts';
import { type FileStamp, readJsonEnd, sameStamp, stampAt } from './json-file.ts';
import { Listing } from './listing.ts';
import { LogTail, type TailRecord } from './log-tail.ts';
import { Patience } from './patience.ts';
import { isSameBase, type Place, UnsettledError } from './place.ts';
import { belongsTo } from './recover.ts';
import { Slices } from './slices.ts';

/** An owner whose flush failed writes the same commit once more, and until then has one less than he showed. */
const takenBackMs = 1_000;
/** The owner is likely to have acknowledged what he wrote after this time, or to have written on. */
const acknowledgeMs = 1;

export interface FollowerConfig {
  readonly storeName: string;
  readonly locate: () => Promise<StoreFiles>;
  readonly pollMs: number;
  /** Where it begins. */
  readonly place: Place;
  /** The version at which the reader shows what the files count as commit `seq`. */
  readonly versionOf: (seq: number) => number;
  /** Told of each step, before what it brings. */
  readonly moved: (place: Place) => void;
  readonly tell: (feed: Feed) => void;
  readonly report: (error: PersistifyError) => void;
}

/** What was told cannot be gone on from: the files are to be read anew. */
class LostError extends Error {}

/**
 * Follows the owner of a store through his files, from log to log and from fold to fold, and tells his commits. Where the files
 * do not show how one state came from the other, as after an edit by hand, it says so (`reset`) and has ended.
 */
export class Follower {
  readonly #config: FollowerConfig;
  readonly #signs: FileSigns;
  readonly #listing = new Listing();
  readonly #patience = new Patience();
  readonly #closing = new AbortController();
  #place: Place;
  #tail: LogTail | undefined;
  #looking: Promise<void> | undefined;
  #isDue = false;
  #takenBackSince: number | undefined;
  /** Whether logs stand on another `.json` file than the one that was read. */
  #isBaseNew = false;
  /** A `.json` file that is no dictionary: that was told. */
  #refused: FileStamp | undefined;

  constructor(config: FollowerConfig) {
    this.#config = config;
    this.#place = config.place;
    const { files } = config.place;
    // An owner goes on writing to a log that he opened by the temporary name that it had before it was linked to its own: Linux names that.
    const isOne = (name: string): boolean => name === files.base || files.generationOf(name) !== undefined || files.isTemporary(name);
    this.#signs = new FileSigns(files.directory, isOne, () => this.#look());
  }

  start(): void {
    this.#signs.start(this.#config.pollMs);
    this.#look();
  }

  /** Tells nothing any more. @returns when nothing is held any more. */
  async stop(): Promise<void> {
    this.#closing.abort();
    this.#signs.stop();
    await this.#looking;
    await this.#leaveLog();
  }

  #isStopped(): boolean {
    return this.#closing.signal.aborted;
  }

  #look(): void {
    this.#isDue = this.#looking !== undefined;
    if (this.#isDue || this.#isStopped()) return;
    this.#looking = this.#follow().finally(() => {
      this.#looking = undefined;
      if (this.#isDue) this.#look();
    });
  }

  async #follow(): Promise<void> {
    try {
      while (!this.#isStopped() && (await this.#step()));
      this.#patience.passed();
    } catch (error) {
      if (this.#isStopped()) return;
      if (error instanceof LostError) this.#config.tell({ type: 'reset' });
      else await this.#meet(error);
    }
  }

  async #meet(error: unknown): Promise<void> {
    switch (this.#patience.with(error)) {
      case 'look again':
        this.#signs.later();
        break;
      case 'read anew':
        this.#config.tell({ type: 'reset' });
        break;
      case 'tell':
        await this.#refuse(error);
        break;
      case 'wait':
    }
  }

  /** Tells what is wrong. A `.json` file that is no dictionary is not looked at again before it changes. */
  async #refuse(error: unknown): Promise<void> {
    const path = this.#place.files.json;
    if (error instanceof CorruptDataError && error.location === path) this.#refused = await stampAt(path).catch(() => undefined);
    this.#config.report(failureOf(error, `follow ${path}`));
  }

  /** @returns whether anything was found that something may follow. */
  async #step(): Promise<boolean> {
    const files = await this.#config.locate();
    if (files.json !== this.#place.files.json) throw new LostError();
    const stamp = await stampAt(files.json);
    this.#isBaseNew = false;
    const hasMoved = await this.#readLogs(await this.#listing.generations(files), stamp);
    if (this.#isStopped() || sameStamp(stamp, this.#place.json?.stamp)) return hasMoved;
    return (await this.#takeJson(stamp)) || hasMoved;
  }

  async #readLogs(generations: readonly number[], stamp: FileStamp | undefined): Promise<boolean> {
    const { log, json } = this.#place;
    const last = generations.findLast(generation => (log === undefined ? generation >= (json?.identity.generation ?? 0) : generation > log.generation));
    if (last === undefined) return this.#readOn(undefined);
    const tail = await LogTail.open(this.#place.files, last);
    try {
      return await this.#readChain(tail, stamp);
    } finally {
      if (this.#tail !== tail) await tail.close();
    }
  }

  /** Reads what the last log says that there is, each log before it to its end. */
  async #readChain(last: LogTail, stamp: FileStamp | undefined): Promise<boolean> {
    const { header } = last;
    const { log, json, files } = this.#place;
    if (header.name !== this.#config.storeName) throw belongsTo(header.name, this.#config.storeName, files.log(last.generation));
    const chain = [...header.logs, { generation: last.generation, end: undefined }];
    const at = chain.findIndex(({ generation }) => generation === log?.generation);
    if (log === undefined ? !isSameBase(header.base, json?.identity) : at < 0) {
      // Folds came in between; the `.json` file tells how far they go. Or the owner has taken in an edit.
      this.#isBaseNew = !isSameBase(header.base, json?.identity);
      if (sameStamp(stamp, json?.stamp)) throw log === undefined ? new LostError() : new UnsettledError('a fold is ending');
      return false;
    }
    let hasMoved = false;
    const end = chain[at]?.end;
    if (log !== undefined && end !== undefined) {
      if (end < log.offset) await this.#takenBack(last);
      hasMoved = await this.#readOn(end);
      if (this.#isStopped()) return false;
      if (this.#place.log?.offset !== end) throw new UnsettledError('a log has not come to its end');
    }
    for (const { generation, end: acknowledged } of chain.slice(at + 1)) {
      if (acknowledged === 0) continue;
      await this.#enter(generation === last.generation ? last : await LogTail.open(files, generation));
      await this.#readOn(acknowledged);
      hasMoved = true;
      if (this.#isStopped()) return false;
    }
    return hasMoved;
  }

  async #enter(tail: LogTail): Promise<void> {
    await this.#leaveLog();
    this.#tail = tail;
    // A commit that is in no log is an edit by hand that the owner has taken in.
    if (tail.header.seq !== this.#place.seq) throw new LostError();
    this.#moveTo({ ...this.#place, log: { generation: tail.generation, offset: tail.offset } });
  }

  async #leaveLog(): Promise<void> {
    const tail = this.#tail;
    this.#tail = undefined;
    await tail?.close();
  }

  /** Tells the commits of the log under way, up to `end`, or up to the commit `upTo`, or as far as they are sure to stay. */
  async #readOn(end: number | undefined, upTo = -1): Promise<boolean> {
    const { log, files, seq } = this.#place;
    if (log === undefined) return false;
    let tail = this.#tail;
    if (tail === undefined) {
      try {
        tail = this.#tail = await LogTail.open(files, log.generation, log.offset);
      } catch (error) {
        // It was folded; the `.json` file tells how far it went.
        if (isMissing(error)) return false;
        throw error;
      }
    }
    const slices = new Slices();
    let hasMoved = false;
    for await (const record of tail.records(seq, end)) {
      const isSure = end !== undefined || record.isFollowed || record.header.seq <= upTo || (await this.#holds(tail, record, files));
      if (!isSure) this.#signs.later();
      if (!isSure || this.#isStopped()) break;
      await this.#tellRecord(tail, record, slices);
      hasMoved = true;
      if (this.#isStopped() || record.header.seq === upTo) break;
    }
    return hasMoved;
  }

  async #holds(tail: LogTail, record: TailRecord, files: StoreFiles): Promise<boolean> {
    // In a burst another one follows by then, and no flush beside the owner's is needed.
    await delay(acknowledgeMs, undefined, { ref: false, signal: this.#closing.signal }).catch(ignore);
    return !this.#isStopped() && (await tail.holds(record, files));
  }

  async #tellRecord(tail: LogTail, record: TailRecord, slices: Slices): Promise<void> {
    const { seq, writer, number } = record.header;
    const version = this.#config.versionOf(seq);
    const commit: CommitFeed | number = await commitOf(record.body, { version, writer, number }, slices);
    if (typeof commit === 'number') tail.badLine(record, commit);
    if (slices.due) await slices.rest();
    if (this.#isStopped()) return;
    tail.offset = record.end;
    this.#takenBackSince = undefined;
    this.#moveTo({ ...this.#place, log: { generation: tail.generation, offset: record.end }, seq, version });
    this.#config.tell(commit);
  }

  /** @returns whether it is a fold of what was told; else the files are to be read anew. */
  async #takeJson(stamp: FileStamp | undefined): Promise<boolean> {
    const { json, log, files, seq } = this.#place;
    if (stamp === undefined) throw removed(files);
    const fold = await readJsonEnd(files.json);
    if (fold !== undefined && log !== undefined && fold.header.generation > (json?.identity.generation ?? 0)) {
      const { generation, seq: foldedSeq, crc: stated } = fold.header;
      const isOver = log.generation < generation;
      if (isOver && seq < foldedSeq) await this.#readOn(undefined, foldedSeq);
      if (this.#isStopped()) return false;
      if (isOver && this.#place.seq > foldedSeq) await this.#takenBack();
      if (isOver && this.#place.seq < foldedSeq) throw new LostError();
      if (isOver) await this.#leaveLog();
      this.#moveTo({ ...this.#place, json: { stamp: fold.stamp, identity: { generation, stated, size: fold.size, crc: '' } }, log: isOver ? undefined : this.#place.log });
      return true;
    }
    if (sameStamp(stamp, this.#refused)) return false;
    if (fold === undefined && !this.#isBaseNew) await checkTakenIn(files);
    const same = await openedAsSame(this.#place, this.#config.storeName);
    if (same === undefined) throw new LostError();
    this.#moveTo({ ...this.#place, json: same });
    return false;
  }

  /**
   * A commit that was told is not there any more: its flush failed, or an older state was put back.
   * @param last the log in which it may have come once more.
   */
  async #takenBack(last?: LogTail): Promise<never> {
    if (last !== undefined) {
      for await (const { header } of last.records(last.header.seq, undefined)) if (header.seq >= this.#place.seq) throw new LostError();
    }
    this.#takenBackSince ??= performance.now();
    if (performance.now() - this.#takenBackSince < takenBackMs) throw new UnsettledError('a commit may come once more');
    throw new LostError();
  }

  #moveTo(place: Place): void {
    this.#place = place;
    this.#config.moved(place);
  }
}
