import type { JsonFile } from './json-file.ts';
import { closingQuote, rawKeyAt } from './keys.ts';
import { laterDeadline, LogIndex } from './log-index.ts';
import type { Member } from './log-lines.ts';
import { entryLines, readDeadlines } from './read-json.ts';
import { type LogFile, readLog } from './read-log.ts';
import type { ShardedMap } from './sharded-map.ts';
import { Slices } from './slices.ts';

/** The dictionary at one version, in files that stay readable until they are let go, whatever becomes of their names. */
export interface Snapshot {
  readonly json: JsonFile | undefined;
  readonly logs: readonly LogFile[];
  readonly seq: number;
}

export async function letGo(snapshot: Snapshot): Promise<void> {
  await snapshot.json?.handle.letGo();
  for (const log of snapshot.logs) await log.file.close();
}

/** One entry as it lies in a buffer. */
export interface RawEntry extends Member {
  readonly expiresAt: number | undefined;
}

/** Either an entry, or a stretch of whole lines from the `.json` file, none of which a log changes and none of which has a deadline. */
export type Stretch = RawEntry | Buffer;

/**
 * Every entry of the snapshot, in the order of a Map: what the logs change stays in its place, what they add comes last.
 * @param stretches whether unchanged lines may come as they are, which spares to look at each.
 */
export async function* rawEntries(snapshot: Snapshot, slices = new Slices()): AsyncGenerator<readonly Stretch[], void> {
  const index = new LogIndex();
  for (const log of snapshot.logs) await readLog(log, index, slices);
  if (snapshot.json !== undefined && !index.cleared) {
    const deadlines = await readDeadlines(snapshot.json, slices);
    const isUnchanged = index.isEmpty && deadlines.size === 0;
    for await (const lines of entryLines(snapshot.json, slices)) yield* isUnchanged ? unchangedLines(lines, slices) : mergedLines(lines, index, deadlines, slices);
  }
  let rest: RawEntry[] = [];
  for (const entry of index.added()) {
    rest.push(entry);
    if (rest.length < entriesAtOnce) continue;
    yield rest;
    rest = [];
    if (slices.due) await slices.rest();
  }
  yield rest;
}

const entriesAtOnce = 256;

const bytesAtOnce = 1 << 15;

/** Lines of which none needs to be looked at, in pieces. */
async function* unchangedLines(lines: Buffer, slices: Slices): AsyncGenerator<readonly Stretch[], void> {
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf(0x0a, at + bytesAtOnce) + 1 || lines.length;
    yield [lines.subarray(at, end)];
    at = end;
    if (slices.due) await slices.rest();
  }
}

async function* mergedLines(lines: Buffer, index: LogIndex, deadlines: ShardedMap<number>, slices: Slices): AsyncGenerator<readonly Stretch[], void> {
  let found: Stretch[] = [];
  let unchangedFrom = 0;
  const hasDeadlines = deadlines.size > 0;
  for (let at = 0, count = 1; at < lines.length; count += 1) {
    const keyEnd = closingQuote(lines, at + 1);
    const end = lines.indexOf(0x0a, keyEnd) + 1;
    const key = rawKeyAt(lines, at + 1, keyEnd);
    const change = index.get(key);
    const deadline = hasDeadlines ? deadlines.get(key) : undefined;
    if (change !== undefined || deadline !== undefined) {
      if (unchangedFrom < at) found.push(lines.subarray(unchangedFrom, at));
      unchangedFrom = end;
      if (change?.type === 'set' && !change.moved) {
        found.push(change);
        change.isGone = true;
      } else if (change === undefined || change.type === 'touch') {
        const expiresAt = change === undefined ? deadline : laterDeadline(deadline, change.expiresAt);
        found.push({ key, bytes: lines, start: at, end: end - 2, expiresAt });
      }
    }
    at = end;
    if (count % entriesAtOnce !== 0) continue;
    if (unchangedFrom < at) found.push(lines.subarray(unchangedFrom, at));
    unchangedFrom = at;
    yield found;
    found = [];
    if (slices.due) await slices.rest();
  }
  if (unchangedFrom < lines.length) found.push(lines.subarray(unchangedFrom));
  yield found;
}
