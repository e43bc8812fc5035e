import { chainOf } from './chain.ts';
import { damaged } from './damage.ts';
import { isMissing } from './failure.ts';
import type { StoreFiles } from './file-names.ts';
import { checkTakenIn, checkUsable, removed } from './foreign-edit.ts';
import { openLog } from './journal.ts';
import { type JsonFile, openJsonFile, sameStamp, stampAt } from './json-file.ts';
import { listedGenerations } from './listing.ts';
import { LogTail } from './log-tail.ts';
import { type Place, UnsettledError } from './place.ts';
import type { LogFile } from './read-log.ts';
import { belongsTo } from './recover.ts';
import { Slices } from './slices.ts';
import { letGo, type Snapshot } from './snapshot.ts';

/** The dictionary as it stands in files that somebody else may be writing, at one commit. */
export interface Picture extends Snapshot {
  readonly place: Omit<Place, 'version'>;
}

/**
 * Takes a picture, to be let go. The `.json` file is still the one that it was when the logs on it have been opened, so that no fold
 * can have taken any of them away.
 * @param before where the reader stands; what it has told stays told.
 * @throws UnsettledError, or ENOENT, if the files were changed meanwhile; CorruptDataError, which may also pass while somebody writes.
 */
export async function takePicture(files: StoreFiles, storeName: string, before: Place | undefined): Promise<Picture> {
  const json = await openJsonFile(files.json, new Slices());
  try {
    if (json !== undefined) checkUsable(json, files, storeName, before);
    return await takeOn(json, files, storeName, before);
  } catch (error) {
    await json?.handle.letGo();
    throw error;
  }
}

async function takeOn(json: JsonFile | undefined, files: StoreFiles, storeName: string, before: Place | undefined): Promise<Picture> {
  const found = await listedGenerations(files);
  const last = found.at(-1);
  if (last === undefined && json === undefined && before !== undefined && before.seq > 0) throw removed(files);
  const tail = last === undefined ? undefined : await LogTail.open(files, last);
  const logs: LogFile[] = [];
  try {
    if (tail !== undefined && tail.header.name !== storeName) throw belongsTo(tail.header.name, storeName, files.log(tail.generation));
    const chain = tail === undefined ? { logs: [], edited: json?.genuine === false } : chainOf(json, tail.header, found, files);
    if (chain.edited && json !== undefined) await checkTakenIn(files);
    for (const { generation, end } of chain.logs) {
      if (end === 0) continue;
      if (!found.includes(generation)) throw damaged('log', files.log(generation), 0, 'it is missing, but other logs stand on it');
      logs.push(await openLog(files, generation, end));
    }
    const isOnLogs = tail !== undefined && logs.length > 0;
    const reached = isOnLogs ? await endOf(tail, files, before) : { seq: json?.header?.seq ?? 0, end: 0 };
    await checkUntouched(json, last, files);
    const whole = logs.map(log => ({ ...log, end: log.end ?? reached.end }));
    // As an owner who opens it counts it.
    const edit = chain.edited && json !== undefined && !(json.empty && found.length === 0 && reached.seq === 0) ? 1 : 0;
    const seq = reached.seq + edit;
    const place = { files, json, log: isOnLogs ? { generation: tail.generation, offset: reached.end } : undefined, seq };
    return { json, logs: whole, seq, place };
  } catch (error) {
    await letGo({ json: undefined, logs, seq: 0 });
    throw error;
  } finally {
    await tail?.close();
  }
}

/** How far the last log goes that nobody has ended yet. */
async function endOf(tail: LogTail, files: StoreFiles, before: Place | undefined): Promise<{ readonly seq: number; readonly end: number }> {
  let { offset: end, header: { seq } } = tail;
  const slices = new Slices();
  for await (const record of tail.records(seq, undefined)) {
    const isTold = before?.log?.generation === tail.generation && before.log.offset >= record.end;
    if (!isTold && !record.isFollowed && !(await tail.holds(record, files))) break;
    ({ end, header: { seq } } = record);
    if (slices.due) await slices.rest();
  }
  return { seq, end };
}

async function checkUntouched(json: JsonFile | undefined, last: number | undefined, files: StoreFiles): Promise<void> {
  const stamp = await stampAt(files.json);
  if (!sameStamp(stamp, json?.stamp) || (await listedGenerations(files)).at(-1) !== last) throw new UnsettledError('they are not the same at the end as at the beginning');
}

/** Whether the same may go well a moment later. */
export function isPassing(error: unknown): boolean {
  return error instanceof UnsettledError || isMissing(error);
}
