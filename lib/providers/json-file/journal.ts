import { type FileHandle, open } from 'node:fs/promises';

import { ProviderError } from '../../errors.ts';
import { syncDirectory } from '../make-directory.ts';
import { Appender, IncompleteWriteError } from './append.ts';
import { createFile, ignore, linkNew, randomId, remove, writeAll } from './durable-file.ts';
import { failureOf } from './failure.ts';
import type { StoreFiles } from './file-names.ts';
import type { Lock } from './lock.ts';
import { type BaseIdentity, headerLine, type LogEnd, type LogHeader } from './log-format.ts';
import type { LogFile } from './read-log.ts';
import { type LogRecord, recordBytes } from './record.ts';
import type { Settled } from './settled.ts';

/** The log to which records are appended. */
interface CurrentLog {
  readonly generation: number;
  readonly file: FileHandle;
  /** The checksum of its first line. */
  readonly seed: number;
  /** The end of what was acknowledged. */
  end: number;
}

/** What a log starts from. */
type LogOrigin = Pick<LogHeader, 'seq' | 'base'>;

export interface JournalStart {
  readonly files: StoreFiles;
  readonly lock: Lock;
  readonly storeName: string;
  readonly fileMode: number;
  /** The logs that stand on the `.json` file already. */
  readonly logs: readonly LogEnd[];
  /** The generation of the next one. */
  readonly next: number;
  readonly seq: number;
  readonly settled: Settled | undefined;
  /** The `.json` file at this moment. */
  readonly base: () => BaseIdentity | null;
}

/**
 * The logs of a store, and the one of them that is written. The protocol is told in `disk.ts`.
 * Its methods are called one at a time.
 */
export class Journal {
  readonly #start: JournalStart;
  readonly #appender = new Appender();
  #older: LogEnd[];
  #current: CurrentLog | undefined;
  #next: number;
  #seq: number;
  #settled: Settled | undefined;
  /** Whether a name in the directory may not be durable yet, because flushing it failed. */
  #directoryUnsure = false;

  constructor(start: JournalStart) {
    this.#start = start;
    this.#older = [...start.logs];
    this.#next = start.next;
    this.#seq = start.seq;
    this.#settled = start.settled;
  }

  /** The dictionary's version. */
  get seq(): number {
    return this.#seq;
  }

  get settled(): Settled | undefined {
    return this.#settled;
  }

  /** How many bytes of logs wait to be folded. */
  get bytes(): number {
    return this.#older.reduce((sum, { end }) => sum + end, this.#current?.end ?? 0);
  }

  get count(): number {
    return this.#older.length + (this.#current === undefined ? 0 : 1);
  }

  /** The generation of a `.json` file into which all logs until now are folded. */
  get nextGeneration(): number {
    return this.#next;
  }

  /** Remembers an answer for which nothing had to be written. */
  settle(settled: Settled): void {
    this.#settled = settled;
  }

  /** Stores a record durably. @throws PersistifyError if it is not stored, or if that is unknown. */
  async append(record: LogRecord, settled: Settled): Promise<void> {
    if (this.#current === undefined) await this.#begin(record);
    else await this.#appendTo(this.#current, record);
    this.#seq = record.seq;
    this.#settled = settled;
  }

  async #appendTo(log: CurrentLog, record: LogRecord): Promise<void> {
    const path = this.#start.files.log(log.generation);
    try {
      const end = await this.#appender.append(log.file, recordBytes(record, log.seed), log.end);
      this.#start.lock.check();
      log.end = end;
    } catch (error) {
      await this.abandon();
      const incomplete = error instanceof IncompleteWriteError;
      // The record may be in the file all the same, until a further log says that it ended before it.
      const outcomeUnknown = !incomplete && !(await this.#begin().then(() => true, () => false));
      throw failureOf(incomplete ? error.cause : error, `append to ${path}`, { outcomeUnknown });
    }
  }

  /** From now on records go to a further log: because the file of this one is in doubt, or is to be folded. */
  async abandon(): Promise<void> {
    const log = this.#current;
    if (log === undefined) return;
    this.#current = undefined;
    this.#older.push({ generation: log.generation, end: log.end });
    await log.file.close().catch(ignore);
  }

  /** Starts a further log without a record, so that nobody can any longer add to those before it. */
  async begin(): Promise<void> {
    await this.abandon();
    await this.#begin();
  }

  /** Makes a log with its first record, under a temporary name until all of it is durable: a log is never seen without its header. */
  async #begin(record?: LogRecord, on = this.#here()): Promise<void> {
    const { files, fileMode, lock } = this.#start;
    const doing = `start the log ${files.log(this.#next)}`;
    const temporary = files.temporary(randomId());
    let file: FileHandle | undefined;
    try {
      if (this.#directoryUnsure) await this.syncDirectory();
      file = await createFile(temporary, fileMode);
      const header = Buffer.from(this.#header(on));
      const seed = Number.parseInt(header.toString('latin1', 0, 8), 16);
      const end = await writeAll(file, [header, ...(record === undefined ? [] : recordBytes(record, seed))], 0);
      await file.sync();
      lock.check();
      await this.#publish(temporary);
      this.#current = { generation: this.#next - 1, file, seed, end };
    } catch (error) {
      await file?.close().catch(ignore);
      await remove(temporary).catch(ignore);
      throw failureOf(error, doing);
    }
    await this.#confirm(doing, record !== undefined);
  }

  async #publish(temporary: string): Promise<void> {
    const path = this.#start.files.log(this.#next);
    const isNew = await linkNew(temporary, path);
    this.#next += 1;
    if (!isNew) {
      // Whoever wrote it never got it acknowledged: an owner's lock check comes between his temporary file and this link.
      this.#older.push({ generation: this.#next - 1, end: 0 });
      throw new ProviderError(`json-file: ${path} is there already; the next one will be tried`, { kind: 'retry' });
    }
    await remove(temporary).catch(ignore);
  }

  /** Makes the new log's name durable. */
  async #confirm(doing: string, holdsRecord: boolean): Promise<void> {
    try {
      await this.syncDirectory();
      this.#start.lock.check();
    } catch (error) {
      const log = this.#current;
      this.#current = undefined;
      if (log !== undefined) this.#older.push({ generation: log.generation, end: 0 });
      await log?.file.close().catch(ignore);
      throw failureOf(error, doing, { outcomeUnknown: holdsRecord });
    }
  }

  /** Makes the names in the store's directory durable. */
  async syncDirectory(): Promise<void> {
    this.#directoryUnsure = true;
    await syncDirectory(this.#start.files.directory);
    this.#directoryUnsure = false;
  }

  #here(): LogOrigin {
    return { seq: this.#seq, base: this.#start.base() };
  }

  #header(on: LogOrigin): string {
    const { storeName, lock } = this.#start;
    return headerLine({
      name: storeName,
      generation: this.#next,
      ...on,
      logs: this.#older,
      owner: lock.id,
      ...(this.#settled !== undefined && { settled: this.#settled }),
    });
  }

  /**
   * A change that is in no log, but in the `.json` file `base`: it is a commit of its own, and ends the log under way.
   * @param overLogs whether logs stand on the file in whose place it came. Then a further log names it at once: an edited file may not
   * tell itself that they belong to it.
   * @param record what has to be written for it, as one more commit; undefined: nothing.
   */
  async adopted(base: BaseIdentity, overLogs: boolean, record: LogRecord | undefined): Promise<void> {
    await this.abandon();
    this.#next = Math.max(this.#next, base.generation + 1);
    const seq = this.#seq + 1;
    if (overLogs) await this.#begin(record, { seq, base });
    this.#seq = record?.seq ?? seq;
  }

  /** Forgets the logs below `generation`, as they are folded. */
  folded(generation: number): void {
    this.#older = this.#older.filter(log => log.generation >= generation);
  }

  /** The logs with what was acknowledged in them, open for reading. */
  async openLogs(): Promise<readonly OpenLog[]> {
    const current = this.#current;
    const ends = current === undefined ? this.#older : [...this.#older, current];
    const logs: OpenLog[] = [];
    try {
      for (const { generation, end } of ends) if (end > 0) logs.push(await openLog(this.#start.files, generation, end));
      return logs;
    } catch (error) {
      for (const log of logs) await log.file.close();
      throw error;
    }
  }
}

/** A log that its reader closes. */
export type OpenLog = LogFile;

export async function openLog(files: StoreFiles, generation: number, end: number | undefined): Promise<OpenLog> {
  const path = files.log(generation);
  return { generation, path, file: await open(path, 'r'), end };
}
