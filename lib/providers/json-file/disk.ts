import { CorruptDataError, ProviderError } from '../../errors.ts';
import type { OpenContext } from '../provider.ts';
import { contestedBy, tellDoubtful } from './contested.ts';
import { ignore, linkNew, remove, renameOverChecked } from './durable-file.ts';
import type { StoreFiles } from './file-names.ts';
import { fold, type Folded } from './fold.ts';
import { Journal } from './journal.ts';
import { type FileStamp, type JsonFile, openJsonFile, sameStamp, stampAt, stampNowAt } from './json-file.ts';
import { Ledger } from './ledger.ts';
import { listedGenerations } from './listing.ts';
import type { Lock } from './lock.ts';
import { LogIndex } from './log-index.ts';
import { readLog } from './read-log.ts';
import { recordOf } from './record.ts';
import { belongsTo, type Recovered, tellFindings } from './recover.ts';
import { Slices } from './slices.ts';
import { letGo, type Snapshot } from './snapshot.ts';
import { sumUp } from './summary.ts';
import { Turns } from './turns.ts';

/*
 * THE PROTOCOL, and why a process that is killed, or a machine that loses power, between any two system calls leaves files that
 * open to all that was acknowledged, and to at most the one batch more that was under way.
 *
 * The dictionary is the `.json` file, of generation G, and on it the logs that the header of the last log names, in their order,
 * each up to its acknowledged end, and the last one up to its end.
 *
 * 1. Append: write the record behind the acknowledged end of the last log; flush it; check the lock; acknowledge.
 *    Killed before the flush ended: the record is there whole, or is shorter than it says, or has sectors of NUL. The first is
 *    the one batch more; the others are dropped and told. Only an unacknowledged record can look so, and only the last in the last log.
 * 2. New log (first write, after a failure, in a fold, at a takeover, on an edit): write header and first record to a temporary file;
 *    flush it; check the lock; link it to its name; flush the directory; check the lock; acknowledge. Killed before the link: a temporary
 *    file, which the next owner removes. Killed after it: the log is whole; its name may be lost in a power cut, and then with it
 *    what was not acknowledged. So a log without a whole header, or one that is missing though a later one names it, is damage.
 *    Its header names all logs before it with their acknowledged ends. So what a failed append left behind an end is ignored from
 *    then on, and the same batch can be written anew, to be stored exactly once. A log in which a write or a flush failed is
 *    never written again: after a failed fsync the kernel counts pages as clean that are not on disk (PostgreSQL's fsyncgate).
 * 3. Fold: from now on write to a log of generation N, above all others (begun when there is something to write). Copy the entries
 *    of the `.json` file and the logs below N into a temporary file of generation N, with the version and the settled batch as they
 *    were at that cut; flush it; check the lock and that the `.json` file is the one that was copied; rename; flush the directory;
 *    only then unlink the logs below N, the lowest first, and the last of them, which names the others, when the directory was flushed
 *    once more. From the rename on a further log names the new file as its base, so none begins before the directory was flushed.
 *    Killed before the rename is durable: the old file with all its logs, the log N being the last of them. After it: the file of
 *    generation N, on which the logs from N on stand; those below N are obsolete, as the last log tells. Both are the same state.
 * 4. Open: take the lock, remove temporary files, read and check everything, change nothing. Logs that were read are flushed once
 *    more, and the directory too, before anything is told: what a killed process left in the page cache must not be shown to
 *    be there and be gone after a power cut. A log is never appended to by another process than its own: a write begins a new one.
 * 5. Close: fold, so that the `.json` file alone remains; then give the lock back. Is there one that was refused, it stays, and what a
 *    fold would have written stands beside it, under a name that is told.
 *
 * One owner: whoever displaces one takes the lock first, then removes temporary files, then reads. What the displaced one still
 * publishes, a log or a `.json` file, he wrote to a temporary file before his lock check; either that came before our removal, and his
 * link or rename fails, or the check comes after our lock, and fails. What he still appends goes to a log whose end ours states,
 * as a takeover begins a log at once. His lock check after it fails, so he acknowledges nothing.
 *
 * Readers (`readOnly`) take no lock and write nothing. What they show is part of every state to come: they read up to the ends that a
 * later log states; in the last log a record behind which another one stands was acknowledged; the very last one they flush
 * themselves, and then look at the lock. Is it still that of the log's owner, whoever takes it over later reads the record too.
 * Is it that of one who took it over (`tookOver`), his first log, soon, says whether he had read it. A record that was shown and
 * then ends up behind a stated end, as its owner's flush failed and the reader's did not, is written once more or taken back.
 *
 * A `.json` file that is not the one that we know is an edit. It is checked whole, then it takes the place of the one we know, logs
 * stay on it, and it counts as a commit; a further log names it as its base, and is there before the edit is told where logs stand.
 * What was edited came later than what the logs say of it: the first record of that log says it once more. It is found by comparing
 * with the file that we knew, as all else in it is only as old as that. The fold never replaces a file that is not known.
 * Found at open, an edit is known by its header, which still names the generation and the checksum of the file it was made from.
 */

export interface DiskOptions {
  readonly storeName: string;
  readonly indent: number | undefined;
  readonly fileMode: number | undefined;
}

export const defaultFileMode = 0o600;

/** The files of an open store, and the order in which they are written. */
export class Disk {
  /** One thing at a time: a write, the cut and the publishing of a fold, an adoption. */
  readonly turns = new Turns();
  readonly journal: Journal;
  readonly #files: StoreFiles;
  readonly #lock: Lock;
  readonly #options: DiskOptions;
  readonly #report: OpenContext['report'];
  #json: JsonFile | undefined;
  #ledger: Ledger;
  /** A `.json` file that cannot be taken: it was told, and nothing replaces it. */
  #refused: FileStamp | undefined;
  /** Whether there is no file where one was: it is to be written again. */
  #isGone = false;
  /** Whether logs may be there still that went into the `.json` file. */
  #areLogsLeft = false;

  constructor(files: StoreFiles, lock: Lock, found: Recovered, options: DiskOptions, report: OpenContext['report']) {
    this.#files = files;
    this.#lock = lock;
    this.#options = options;
    this.#report = report;
    this.#json = found.json;
    this.#ledger = new Ledger(Math.max(found.seq, 1), found.empty, found.deadlines);
    this.journal = new Journal({
      files,
      lock,
      storeName: options.storeName,
      fileMode: options.fileMode ?? defaultFileMode,
      logs: found.logs,
      next: found.nextGeneration,
      seq: found.seq,
      settled: found.settled,
      base: () => this.#json?.identity ?? null,
    });
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** The size of the `.json` file; 0 if there is none. */
  get jsonBytes(): number {
    return this.#json?.identity.size ?? 0;
  }

  /** Whether the `.json` file alone is not the whole dictionary. */
  get needsFold(): boolean {
    return this.#json === undefined || this.#isGone || this.journal.count > 0;
  }

  /** Whether a file is in the way that we neither wrote nor can read. */
  get isBlocked(): boolean {
    return this.#refused !== undefined;
  }

  /**
   * Whether the `.json` file with this stamp is none that has to be looked at. Behind one that was refused even our own has to be,
   * when it is back.
   */
  knows(stamp: FileStamp | undefined): boolean {
    if (stamp === undefined && this.#isGone) return true;
    return sameStamp(stamp, this.#refused ?? this.#json?.stamp);
  }

  /** The dictionary as it is; to be called in a turn, and to be let go. */
  async snapshot(): Promise<Snapshot> {
    const logs = await this.journal.openLogs();
    this.#json?.handle.share();
    return { json: this.#json, logs, seq: this.journal.seq };
  }

  /**
   * Removes logs that a fold has replaced, as they are told by the last of them, which goes only when the others are gone for good.
   * @param generations ascending.
   */
  async removeObsolete(generations: readonly number[]): Promise<void> {
    for (const [index, generation] of generations.entries()) {
      if (index > 0 && index === generations.length - 1) await this.journal.syncDirectory();
      await remove(this.#files.log(generation));
    }
  }

  /** Brings the `.json` file up to date, while writes go on, and unlinks the logs that it replaces. */
  async fold(): Promise<void> {
    const { folded, from, generation } = await this.#folded();
    await this.turns.run(() => this.#publish(folded, from, generation));
  }

  /**
   * Writes the dictionary to a file beside a `.json` file that was refused, as no other may hold it any more when this one is let go of.
   * Put in the place of the refused one, it is what a fold would have left there, for the logs too.
   * @returns its path; undefined if nothing was ever stored.
   */
  async putAside(): Promise<string | undefined> {
    if (this.#json === undefined && this.journal.count === 0) return undefined;
    const { folded: { json, path }, generation } = await this.#folded();
    try {
      this.#lock.check();
      for (let number = generation; ; number += 1) {
        const kept = this.#files.kept(number);
        if (!(await linkNew(path, kept))) continue;
        await this.journal.syncDirectory();
        return kept;
      }
    } finally {
      await json.handle.letGo();
      await remove(path).catch(ignore);
    }
  }

  async #folded() {
    const { snapshot, generation, settled } = await this.turns.run(() => this.#cut());
    try {
      const folded = await fold(snapshot, {
        files: this.#files,
        header: { name: this.#options.storeName, generation, seq: snapshot.seq, indent: this.#options.indent, settled },
        mode: this.#options.fileMode ?? snapshot.json?.mode ?? defaultFileMode,
      });
      return { folded, from: snapshot.json, generation };
    } finally {
      await letGo(snapshot);
    }
  }

  async #cut() {
    this.#lock.check();
    await this.journal.abandon();
    this.#ledger.foldBegins();
    const { nextGeneration: generation, settled } = this.journal;
    return { snapshot: await this.snapshot(), generation, settled };
  }

  async #publish({ json, path }: Folded, from: JsonFile | undefined, generation: number): Promise<void> {
    try {
      this.#lock.check();
      await renameOverChecked(path, this.#files.json, () => this.#checkUntouched(from));
    } catch (error) {
      await json.handle.letGo();
      await remove(path).catch(ignore);
      throw error;
    }
    // At once: logs name this file as their base from now on. None is begun before the directory was flushed, should that fail here.
    this.#json = json;
    this.#isGone = false;
    this.journal.folded(generation);
    this.#areLogsLeft = true;
    this.#ledger.foldEnds();
    await from?.handle.letGo().catch(ignore);
    await this.journal.syncDirectory();
    await this.removeObsolete((await listedGenerations(this.#files)).filter(old => old < generation));
    this.#areLogsLeft = false;
  }

  /** A file that was removed may be written again; one that was written by somebody else may not be lost. */
  #checkUntouched(from: JsonFile | undefined): void {
    const stamp = stampNowAt(this.#files.json);
    if (this.#json === from && (stamp === undefined || sameStamp(stamp, from?.stamp))) return;
    throw new ProviderError(`json-file: ${this.#files.json} was changed by somebody else; that has to be taken in before it can be replaced`, { kind: 'retry' });
  }

  /**
   * Looks at a `.json` file that is none of ours, and takes it in.
   * @returns `adopted` if entries may have changed; `removed` if it is gone; `refused` with the reason if it is no dictionary.
   */
  async takeIn(): Promise<Intake> {
    let found: JsonFile | undefined;
    try {
      found = await openJsonFile(this.#files.json, new Slices());
      if (found === undefined) return this.#missIt();
      this.#checkUsable(found);
    } catch (error) {
      await found?.handle.letGo();
      if (error instanceof CorruptDataError) return { outcome: 'refused', error };
      throw error;
    }
    const json = found;
    return this.turns.run(() => this.#adopt(json));
  }

  /** What is gone is in nobody's way, even if it was refused; what it had replaced may be in no file any more that has a name. */
  #missIt(): Intake {
    this.#refused = undefined;
    this.#isGone = true;
    return { outcome: 'removed' };
  }

  #checkUsable(json: JsonFile): void {
    const location = this.#files.json;
    if (json.blank) throw new CorruptDataError(`${location} was emptied; to remove every entry, write {} into it`, { location });
    const name = json.header?.name;
    if (name !== undefined && name !== this.#options.storeName) throw belongsTo(name, this.#options.storeName, location);
  }

  /** All of it, or nothing: what fails half-way leaves the file one that has to be taken in. */
  async #adopt(json: JsonFile): Promise<Intake> {
    let isTaken = false;
    try {
      if (!sameStamp(await stampAt(this.#files.json), json.stamp)) return { outcome: 'again' };
      const before = this.#json;
      const isSame = before?.identity.crc === json.identity.crc && before.identity.size === json.identity.size;
      const found = isSame ? undefined : await this.#lookAtLogs(json);
      if (found !== undefined) {
        const { record } = found;
        await this.journal.adopted(json.identity, this.journal.count > 0 || this.#areLogsLeft, record);
        this.#ledger = found.ledger;
      }
      this.#json = json;
      isTaken = true;
      this.#refused = undefined;
      this.#isGone = false;
      await before?.handle.letGo().catch(ignore);
      if (found === undefined) return { outcome: 'same' };
      tellFindings(this.#files, json, this.#report);
      tellDoubtful(found.doubtful, this.#files, this.#report);
      return { outcome: 'adopted' };
    } finally {
      if (!isTaken) await json.handle.letGo();
    }
  }

  /** What an edited file makes of the logs that it comes beneath, which is a commit, or two: what has to be written for it follows. */
  async #lookAtLogs(json: JsonFile) {
    const { seq, settled } = this.journal;
    const logs = await this.journal.openLogs();
    try {
      const slices = new Slices();
      const index = new LogIndex();
      for (const log of logs) await readLog(log, index, slices);
      const { edits, doubtful } = await contestedBy(json, this.#json, index, slices);
      // It says once more which batch was answered last: an edit is none's.
      const batch = { writer: settled?.writer ?? '', number: settled?.number ?? 0, mutations: edits };
      const record = edits.length === 0 ? undefined : await recordOf(seq + 2, batch, edits, settled?.result.leftOut ?? []);
      for (const lines of record?.body ?? []) await index.apply(lines, slices);
      const { deadlines, empty } = await sumUp(json, index, slices);
      return { record, doubtful, ledger: new Ledger(record?.seq ?? seq + 1, empty, deadlines) };
    } finally {
      for (const log of logs) await log.file.close();
    }
  }

  /** Leaves the file with this stamp alone; one that has been mended since it was looked at has another. */
  refuse(error: CorruptDataError, stamp: FileStamp | undefined): void {
    this.#refused = stamp;
    this.#report(error);
  }

  async letGoOfFiles(): Promise<void> {
    await this.journal.abandon();
    await this.#json?.handle.letGo();
  }

  async close(): Promise<void> {
    try {
      await this.letGoOfFiles();
    } finally {
      await this.#lock.release();
    }
  }
}

export type Intake =
  | { readonly outcome: 'adopted' | 'same' | 'removed' | 'again' }
  | { readonly outcome: 'refused'; readonly error: CorruptDataError };
