import type { StoreFiles } from './file-names.ts';
import { ByteReader } from './blocks.ts';
import { damaged } from './damage.ts';
import { syncForeign } from './durable-file.ts';
import { openLog } from './journal.ts';
import type { LogHeader, RecordHeader } from './log-format.ts';
import { viewLock } from './lock-view.ts';
import { type LogFile, type LogStart, readLogStart, readRecord } from './read-log.ts';

/** One commit of a log that is being followed. */
export interface TailRecord {
  readonly header: RecordHeader;
  readonly body: Buffer;
  /** Where it ends in the file. */
  readonly end: number;
  /** Whether something stands behind it: the owner writes on only when he has acknowledged what he wrote before. */
  readonly isFollowed: boolean;
}

/** A log that others write, and how far it was read. */
export class LogTail {
  readonly #log: LogFile;
  readonly #start: LogStart;
  /** What was read of it ends here. */
  offset: number;

  private constructor(log: LogFile, start: LogStart, offset: number) {
    this.#log = log;
    this.#start = start;
    this.offset = offset;
  }

  /** @param offset how far it was read before; none: not at all. */
  static async open(files: StoreFiles, generation: number, offset?: number): Promise<LogTail> {
    const log = await openLog(files, generation, undefined);
    try {
      const start = await readLogStart(log);
      return new LogTail(log, start, offset ?? start.end);
    } catch (error) {
      await log.file.close();
      throw error;
    }
  }

  get generation(): number {
    return this.#log.generation;
  }

  get header(): LogHeader {
    return this.#start.header;
  }

  /**
   * The whole records behind `offset`, the first of which is to make the version `seq` + 1. One that is not whole yet is not told.
   * @param end what was acknowledged of the log, if that is stated elsewhere.
   * @throws CorruptDataError
   */
  async *records(seq: number, end: number | undefined): AsyncGenerator<TailRecord, void> {
    const limit = end ?? (await this.#size());
    const reader = new ByteReader(this.#log.file, this.offset, limit);
    for (let due = seq + 1; reader.left > 0; due += 1) {
      const offset = reader.offset;
      const record = await readRecord({ ...this.#log, end }, reader, this.#start.seed, limit);
      if (record === 'torn') return;
      const { header, body } = record;
      if (header.seq !== due) throw damaged('log', this.#log.path, offset, `a record says version ${header.seq} where ${due} is due`);
      yield { header, body, end: reader.offset, isFollowed: reader.left > 0 };
    }
  }

  /** @throws CorruptDataError for a line of a record that is no mutation. */
  badLine(record: TailRecord, at: number): never {
    throw damaged('log', this.#log.path, record.end - record.body.length + at, 'a line is no mutation');
  }

  /**
   * Whether the last record will stay, though its owner may not have acknowledged it yet: it is durable, and whoever opens the store
   * next finds it. That is so unless its owner had been displaced when he wrote it; a takeover says by a log of its own, soon,
   * where the one before it ended.
   */
  async holds(record: TailRecord, files: StoreFiles): Promise<boolean> {
    if ((await this.#size()) > record.end) return true;
    await syncForeign(this.#log.file, 'datasync');
    const lock = await viewLock(files);
    return lock === undefined || !lock.tookOver || lock.id === this.header.owner || !lock.isAlive();
  }

  async close(): Promise<void> {
    await this.#log.file.close();
  }

  async #size(): Promise<number> {
    return (await this.#log.file.stat()).size;
  }
}
