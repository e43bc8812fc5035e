import { Observable, Subject } from 'rxjs';

import { CorruptDataError, type PersistifyError, ProviderError } from '../../errors.ts';
import type { Batch, BatchResult } from '../../mutation.ts';
import type { Capabilities, Cursor, Feed, OpenContext, Page, ProviderSession, WriteContext } from '../provider.ts';
import type { Disk, Intake } from './disk.ts';
import { failureOf } from './failure.ts';
import type { StoreFiles } from './file-names.ts';
import { FoldSchedule } from './fold-schedule.ts';
import { HandEdits } from './hand-edits.ts';
import { type FileStamp, stampAt } from './json-file.ts';
import { keysOf, pagesOf } from './load.ts';
import type { JsonFileSettings } from './options.ts';
import { recordOf } from './record.ts';
import { Slices } from './slices.ts';
import { letGo } from './snapshot.ts';

/** A file that does not parse is looked at for this time, before it is told to be broken: its writer may not be done. */
const patienceMs = 400;

/** A value's line is one string, and V8's have 536,870,888 units at most. */
const maxValueBytes = 500_000_000;

/** One open dictionary in a JSON file. */
export class JsonFileSession implements ProviderSession {
  readonly capabilities: Capabilities = { shared: false, durability: 'power', maxValueBytes };
  readonly #files: StoreFiles;
  readonly #disk: Disk;
  readonly #report: OpenContext['report'];
  readonly #schedule: FoldSchedule;
  readonly #handEdits: HandEdits;
  readonly #resets = new Subject<Feed>();
  #lastReset = 0;
  /** Since when the `.json` file does not parse, or cannot be read. */
  #troubleSince: number | undefined;
  /** Whether it was told that an edit cannot be read, which is tried all the time. */
  #isUnreadTold = false;
  #closing: Promise<void> | undefined;

  constructor(files: StoreFiles, disk: Disk, { logBytes }: Pick<JsonFileSettings, 'logBytes'>, report: OpenContext['report']) {
    this.#files = files;
    this.#disk = disk;
    this.#report = report;
    this.#schedule = new FoldSchedule(
      logBytes,
      () => ({ logBytes: disk.journal.bytes, logCount: disk.journal.count, jsonBytes: disk.jsonBytes, isBlocked: disk.isBlocked }),
      () => this.#fold(),
      error => report(failureOf(error, `fold the logs into ${files.json}`)),
    );
    this.#handEdits = new HandEdits(files, stamp => disk.knows(stamp), stamp => this.#takeInEdit(stamp));
    // What a killed process left in logs is folded like what is written now.
    if (disk.journal.count > 0) this.#schedule.committed();
  }

  async *load(): AsyncGenerator<Page, void> {
    const disk = this.#disk;
    const { snapshot, ledger } = await disk.turns.run(async () => ({ snapshot: await disk.snapshot(), ledger: disk.ledger }));
    try {
      // A key that is written meanwhile is told as it was, and with no later version than that.
      yield* pagesOf(snapshot, key => Math.min(ledger.versionOf(key), snapshot.seq));
    } catch (error) {
      throw failureOf(error, `read ${this.#files.json}`);
    } finally {
      await letGo(snapshot);
    }
  }

  write(batch: Batch, { signal }: WriteContext): Promise<BatchResult> {
    let isUnderWay = false;
    const writing = this.#disk.turns.run(async () => {
      if (signal.aborted) throw aborted(signal, false);
      isUnderWay = true;
      try {
        return await this.#write(batch);
      } catch (error) {
        throw failureOf(error, 'write');
      }
    });
    // What hangs in the kernel cannot be stopped; it keeps its turn, and a retry of the batch waits for it and hears how it ended.
    return untilAborted(writing, signal, () => isUnderWay);
  }

  async #write(batch: Batch): Promise<BatchResult> {
    const { journal, ledger } = this.#disk;
    const answered = journal.settled;
    if (answered?.writer === batch.writer && batch.number <= answered.number) return answered.result;
    if (ledger.asksForMore(batch)) await this.#completeLedger();
    const { stored, leftOut } = ledger.decide(batch, Date.now());
    const version = journal.seq + (stored.length > 0 ? 1 : 0);
    const settled = { writer: batch.writer, number: batch.number, result: { version, leftOut } };
    if (stored.length === 0) {
      journal.settle(settled);
      return settled.result;
    }
    await journal.append(await recordOf(version, batch, stored, leftOut), settled);
    const slices = new Slices();
    for (const [index, mutation] of stored.entries()) {
      ledger.apply(mutation, version);
      if (index % 512 === 511 && slices.due) await slices.rest();
    }
    this.#schedule.committed();
    return settled.result;
  }

  /** Reads which keys there are. It takes a while in a large store, once, and only if conditional writes are used. */
  async #completeLedger(): Promise<void> {
    const { ledger } = this.#disk;
    const snapshot = await this.#disk.snapshot();
    try {
      for await (const keys of keysOf(snapshot)) ledger.addLoaded(keys);
    } finally {
      await letGo(snapshot);
    }
    ledger.complete();
  }

  /** Tells only of edits by hand: nobody else may write, and the core knows its own commits. */
  watch(since: Cursor): Observable<Feed> {
    return new Observable<Feed>(subscriber => {
      if (since.version < this.#lastReset) subscriber.next({ type: 'reset' });
      return this.#resets.subscribe(subscriber);
    });
  }

  async #fold(): Promise<void> {
    try {
      await this.#disk.fold();
    } finally {
      this.#handEdits.look();
    }
  }

  async #takeInEdit(stamp: FileStamp | undefined): Promise<void> {
    try {
      this.#tookIn(await this.#disk.takeIn(), stamp);
    } catch (error) {
      // Such as want of descriptors, for now: that is no fault of the file, which is looked at again until it can be read.
      this.#tellUnread(failureOf(error, `read ${this.#files.json}, which was changed`));
    }
  }

  #tookIn(intake: Intake, stamp: FileStamp | undefined): void {
    if (intake.outcome === 'refused') {
      this.#tellBroken(intake.error, stamp);
      return;
    }
    this.#troubleSince = undefined;
    this.#isUnreadTold = false;
    switch (intake.outcome) {
      case 'adopted':
        this.#lastReset = this.#disk.journal.seq;
        this.#resets.next({ type: 'reset' });
        this.#schedule.soon();
        break;
      case 'removed':
        this.#tellRemoved();
        this.#schedule.soon();
        break;
      case 'same':
      case 'again':
    }
  }

  #tellBroken(error: CorruptDataError, stamp: FileStamp | undefined): void {
    if (!this.#troubleLasts()) return;
    this.#troubleSince = undefined;
    this.#isUnreadTold = false;
    this.#disk.refuse(error, stamp);
  }

  #tellUnread(error: PersistifyError): void {
    if (this.#isUnreadTold || !this.#troubleLasts()) return;
    this.#isUnreadTold = true;
    this.#report(error);
  }

  #troubleLasts(): boolean {
    this.#troubleSince ??= performance.now();
    return performance.now() - this.#troubleSince >= patienceMs;
  }

  #tellRemoved(): void {
    const location = this.#files.json;
    this.#report(new CorruptDataError(`${location} was removed while it was open; it is written again. To remove every entry, write {} into it`, { location }));
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const disk = this.#disk;
    await this.#handEdits.close();
    await this.#schedule.stop();
    try {
      await this.#lastFold();
    } finally {
      this.#resets.complete();
      await disk.turns.run(() => disk.close());
    }
  }

  /** What was acknowledged is in the logs and safe; that they could not be folded is told, and left to the next open. */
  async #lastFold(): Promise<void> {
    const disk = this.#disk;
    try {
      const stamp = await stampAt(this.#files.json);
      const isDue = disk.needsFold || stamp === undefined;
      const intake = isDue && !disk.knows(stamp) ? await disk.takeIn() : undefined;
      if (intake?.outcome === 'refused') disk.refuse(intake.error, stamp);
      if (intake?.outcome === 'removed') this.#tellRemoved();
      if (disk.isBlocked) await this.#putAside();
      else if (disk.needsFold) await disk.fold();
    } catch (error) {
      this.#report(failureOf(error, `fold the logs into ${this.#files.json}`));
    }
  }

  async #putAside(): Promise<void> {
    const location = this.#files.json;
    const kept = await this.#disk.putAside();
    if (kept === undefined) return;
    this.#report(new CorruptDataError(`${location} was closed as it is, for it was refused; what the dictionary holds is in ${kept}. To go on from that, put it in the place of ${location}`, { location }));
  }
}

function aborted(signal: AbortSignal, outcomeUnknown: boolean): ProviderError {
  return new ProviderError('json-file: the write was aborted', { kind: 'retry', outcomeUnknown, cause: signal.reason });
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal, isUnderWay: () => boolean): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(aborted(signal, isUnderWay()));
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort)).catch(() => undefined);
  });
}
