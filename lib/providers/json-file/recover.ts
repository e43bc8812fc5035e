import { CorruptDataError, type PersistifyError } from '../../errors.ts';
import { syncDirectory } from '../make-directory.ts';
import { chainOf } from './chain.ts';
import { contestedBy, tellDoubtful } from './contested.ts';
import { damaged } from './damage.ts';
import { syncForeign } from './durable-file.ts';
import type { StoreFiles } from './file-names.ts';
import { openLog } from './journal.ts';
import { type JsonFile, openJsonFile } from './json-file.ts';
import { keyOf } from './keys.ts';
import { listedGenerations } from './listing.ts';
import type { LogEnd, LogHeader } from './log-format.ts';
import { LogIndex } from './log-index.ts';
import { type LogFile, type LogState, readLog, readLogHeader } from './read-log.ts';
import type { Settled } from './settled.ts';
import { Slices } from './slices.ts';
import { sumUp, type Summary } from './summary.ts';

/** A store as it was found. */
export interface Recovered extends Summary {
  readonly json: JsonFile | undefined;
  /** The logs that stand on the `.json` file. */
  readonly logs: readonly LogEnd[];
  readonly nextGeneration: number;
  readonly seq: number;
  readonly settled: Settled | undefined;
  /** Logs that are folded into the `.json` file and were not unlinked yet. */
  readonly obsolete: readonly number[];
}

/**
 * Reads what is there and checks all of it; changes nothing.
 * @throws CorruptDataError for whatever does not check, but a torn tail of the last log, which is told to `report`.
 */
export async function recover(files: StoreFiles, storeName: string, report: (error: PersistifyError) => void): Promise<Recovered> {
  const slices = new Slices();
  const json = await openJsonFile(files.json, slices);
  try {
    if (json !== undefined) tellFindings(files, json, report);
    if (json?.header?.name !== undefined && json.header.name !== storeName) throw belongsTo(json.header.name, storeName, files.json);
    return await recoverOn(json, files, storeName, report, slices);
  } catch (error) {
    await json?.handle.letGo();
    throw error;
  }
}

export function belongsTo(other: string, storeName: string, path: string): CorruptDataError {
  return new CorruptDataError(
    `${path} is the file of the dictionary ${JSON.stringify(other)}, not of ${JSON.stringify(storeName)}: this disk does not tell the two file names apart; choose another name, or if you renamed the file, take "name" out of its header (the member "")`,
    { location: path },
  );
}

/** What is right to go on with, but not to be silent about. */
export function tellFindings(files: StoreFiles, json: JsonFile, report: (error: PersistifyError) => void): void {
  const location = files.json;
  if (json.blank) report(new CorruptDataError(`${location} has no content at all, not even {}; it is taken as an empty dictionary`, { location }));
  for (const [raw, offset] of json.duplicates) {
    const key = keyOf(raw);
    report(new CorruptDataError(`${location} has the key ${JSON.stringify(key)} more than once; the last one counts, at byte ${offset}`, { location, offset, key }));
  }
}

async function recoverOn(json: JsonFile | undefined, files: StoreFiles, storeName: string, report: (error: PersistifyError) => void, slices: Slices): Promise<Recovered> {
  const found = await listedGenerations(files);
  const last = found.at(-1);
  const header = last === undefined ? undefined : await headerOf(last, files);
  if (header !== undefined && header.name !== storeName) throw belongsTo(header.name, storeName, files.log(header.generation));
  const chain = header === undefined ? { logs: [], edited: json?.genuine === false, leastSeq: json?.header?.seq ?? 0 } : chainOf(json, header, found, files);
  const index = new LogIndex();
  const ends: LogEnd[] = [];
  let state: Pick<LogState, 'seq' | 'settled'> = { seq: chain.leastSeq, settled: json?.header?.settled };
  for (const { generation, end } of chain.logs) {
    if (end === 0) {
      ends.push({ generation, end });
      continue;
    }
    if (!found.includes(generation)) throw damaged('log', files.log(generation), 0, 'it is missing, but other logs stand on it');
    const log = await openLog(files, generation, end);
    try {
      const read = await readFlushed(log, index, state, slices);
      if (read.torn !== undefined) report(tornTail(log, read.torn.offset, read.torn.bytes));
      state = read;
      ends.push({ generation, end: read.end });
    } finally {
      await log.file.close();
    }
  }
  // What is not durable yet must not be built upon; and no log may be unlinked for a rename that a power cut undoes.
  if (found.length > 0) await syncDirectory(files.directory);
  if (chain.edited && json !== undefined) {
    // Whoever has the file that was edited is gone.
    const { doubtful } = await contestedBy(json, 'unknown', index, slices);
    tellDoubtful(doubtful, files, report);
  }
  const edit = chain.edited && json !== undefined && !(json.empty && found.length === 0 && state.seq === 0) ? 1 : 0;
  return {
    json,
    logs: ends,
    nextGeneration: Math.max(json?.identity.generation ?? 0, 1, (found.at(-1) ?? 0) + 1),
    seq: state.seq + edit,
    settled: state.settled,
    obsolete: found.filter(generation => !ends.some(log => log.generation === generation)),
    ...(await sumUp(json, index, slices)),
  };
}

async function readFlushed(log: LogFile, index: LogIndex, before: Pick<LogState, 'seq'>, slices: Slices): Promise<LogState> {
  const header = await readLogHeader(log);
  if (header.seq < before.seq) throw damaged('log', log.path, 0, `it starts at version ${header.seq}, but ${before.seq} was reached before it`);
  await syncForeign(log.file);
  return readLog(log, index, slices);
}

function tornTail(log: LogFile, offset: number, bytes: number): CorruptDataError {
  return new CorruptDataError(
    `${log.path} ends within a batch that was being written when the process or the machine stopped; it was never acknowledged, and its ${bytes} bytes from byte ${offset} on are ignored`,
    { location: log.path, offset },
  );
}

async function headerOf(generation: number, files: StoreFiles): Promise<LogHeader> {
  const log = await openLog(files, generation, undefined);
  try {
    return await readLogHeader(log);
  } finally {
    await log.file.close();
  }
}
