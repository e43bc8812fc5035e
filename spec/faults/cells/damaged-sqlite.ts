import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import Database from 'better-sqlite3';
import { CorruptDataError, persistify, SaveError } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';
import { expect } from 'vitest';

import { memory, scratch } from '../../providers/json-file/store.ts';
import { bits, places, withFlippedBit } from './damage.ts';
import { databaseName, sqliteHistory, type History } from './histories.ts';
import type { Cell, Trial } from './matrix.ts';
import { openingOf, wordsOf, type Opening } from './opening.ts';

const logName = `${databaseName}-wal`;

/** How variants of a database ended. */
interface Outcomes {
  tried: number;
  refused: number;
  whole: number;
  /** Entries that cannot be read were told, and are left as they are. */
  quarantined: number;
  /** Opened to the store as it was earlier: SQLite takes a log that does not check for its end. */
  earlier: number;
  /** Opened to something else without a word: the file has no checksums. */
  silent: number;
  /** How many of those `PRAGMA quick_check` would have shown. */
  'silent, but for a check': number;
}

function noOutcomes(): Outcomes {
  return { tried: 0, refused: 0, whole: 0, quarantined: 0, earlier: 0, silent: 0, 'silent, but for a check': 0 };
}

/** Opens variants of a database, in memory, as there are thousands. */
class DatabaseVariants {
  readonly file: string;
  readonly #history: History;
  readonly #directory: string;

  static async of(history: History): Promise<DatabaseVariants> {
    return new DatabaseVariants(await scratch(memory), history);
  }

  private constructor(directory: string, history: History) {
    this.#directory = directory;
    this.#history = history;
    this.file = join(directory, databaseName);
  }

  async open(name: string, bytes: Buffer): Promise<Opening> {
    await this.#history.picture.layOut(this.#directory, new Map([[name, bytes]]));
    return openingOf(sqlite({ file: this.file, worker: false }));
  }

  /** Damage of the main file: what SQLite notices is told, and nothing that it does not notice spreads. */
  async expectToldAsFarAsSeen(opening: Opening, bytes: Buffer, outcomes: Outcomes, what: string): Promise<void> {
    outcomes.tried++;
    if (opening.isRefused) {
      outcomes.refused++;
      expect((await readFile(this.file)).equals(bytes), `${what}: ${opening.error.message}`).toBe(true);
      return;
    }
    const wrong = differences(opening.entries, this.#history.entries);
    if (wrong.length === 0) outcomes.whole++;
    else if (opening.told.length > 0) {
      outcomes.quarantined++;
      for (const { error } of opening.told) expect(error, what).toBeInstanceOf(CorruptDataError);
    } else {
      outcomes.silent++;
      // An empty file is a database to SQLite, in which nothing was written yet.
      if (bytes.length === 0) expect(opening.entries.size, what).toBe(0);
      else if (this.#isWhole()) expectOneChange(opening.entries, this.#history.entries, `${what}: ${wrong.join(', ')}`);
      else outcomes['silent, but for a check']++;
    }
  }

  /** Damage of the log: the store as it was at one `seq`. */
  expectOneMoment(opening: Opening, outcomes: Outcomes, what: string): void {
    outcomes.tried++;
    const { subject, entries } = this.#history;
    expect(opening.isRefused, wordsOf(opening)).toBe(false);
    if (opening.isRefused) return;
    expect(subject.verdictOf(opening.entries, 0), what).toMatchObject({ right: true });
    outcomes[differences(opening.entries, entries).length === 0 ? 'whole' : 'earlier']++;
  }

  /** A store that goes on in what is damaged saves, or says that it cannot. */
  async expectSaveAnswered(what: string): Promise<void> {
    const store = await persistify(sqlite({ file: this.file, worker: false })).withRetry({ maxAttempts: 1 }).open('survivor').catch(() => undefined);
    if (store === undefined) return;
    store.errors$.subscribe();
    const answer = await store.setAndSave('another', 'value').catch((error: unknown) => error);
    if (answer !== true) expect(answer, what).toBeInstanceOf(SaveError);
    await store.close({ deadlineMs: 0 }).catch(() => undefined);
  }

  #isWhole(): boolean {
    const database = new Database(this.file);
    try {
      return database.prepare('PRAGMA quick_check(1)').pluck().get() === 'ok';
    } catch {
      return false;
    } finally {
      database.close();
    }
  }
}

/** A flipped bit that SQLite cannot notice is one of a value, which is another one then, or of a key, which is another one too; none is missing. */
function expectOneChange(found: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>, what: string): void {
  expect(differences(found, expected).length, what).toBeLessThanOrEqual(2);
  for (const key of expected.keys()) expect(found.has(key) || [...found.keys()].some((other) => isOneBitAway(key, other)), what).toBe(true);
}

function isOneBitAway(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  if (left.length !== right.length) return false;
  const changes = [...left.map((byte, index) => byte ^ right.readUInt8(index))].filter((bits) => bits !== 0);
  return changes.length === 1 && changes.every((bits) => (bits & (bits - 1)) === 0);
}

function differences(found: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): readonly string[] {
  return [...new Set([...found.keys(), ...expected.keys()])].filter((key) => found.get(key) !== expected.get(key));
}

/** What becomes of a file that is damaged at a byte. */
type VariantsOf = (bytes: Buffer, at: number) => readonly Buffer[];

async function eachVariant(cell: Cell, variantsOf: VariantsOf, isDamageAlways: boolean): Promise<Outcomes> {
  const outcomes = noOutcomes();
  const closed = await sqliteHistory({ ...cell, directory: join(cell.directory, 'closed') }, 60, { isClosed: true });
  const main = closed.picture.bytesOf(databaseName);
  const variants = await DatabaseVariants.of(closed);
  for (const at of places(main.length, cell, 250)) {
    for (const bytes of variantsOf(main, at)) {
      const what = `the database of ${main.length} bytes, at byte ${at}`;
      const opening = await variants.open(databaseName, bytes);
      await variants.expectToldAsFarAsSeen(opening, bytes, outcomes, what);
      // A bit of the header may also make of it a database of another kind.
      if (opening.isRefused && isDamageAlways) expect(opening.error, `${what}: ${opening.error.message}`).toBeInstanceOf(CorruptDataError);
      if (cell.random.chance(0.1)) await variants.expectSaveAnswered(what);
    }
  }
  // Rows that are lost from the middle of a table without a word are next to none; what cuts the file is always noticed.
  expect(outcomes['silent, but for a check']).toBeLessThanOrEqual(outcomes.tried / 50);
  return outcomes;
}

async function eachLogVariant(cell: Cell, variantsOf: VariantsOf, outcomes: Outcomes): Promise<void> {
  // Commits are pages of the same kinds again and again: of a few of them every byte can be tried.
  const history = await sqliteHistory({ ...cell, directory: join(cell.directory, 'open') }, cell.times(30, 8));
  const log = history.picture.bytesOf(logName);
  const variants = await DatabaseVariants.of(history);
  for (const at of places(log.length, cell, 120)) {
    for (const bytes of variantsOf(log, at)) variants.expectOneMoment(await variants.open(logName, bytes), outcomes, `the log of ${log.length} bytes, at byte ${at}`);
  }
}

/** The main file and the log cut off at every byte. */
export const databaseCutOff: Trial = async (cell) => {
  const variantsOf: VariantsOf = (bytes, length) => [bytes.subarray(0, length)];
  const outcomes = await eachVariant(cell, variantsOf, true);
  await eachLogVariant(cell, variantsOf, outcomes);
  return { ...outcomes };
};

/**
 * Every byte of both flipped, in the long form each bit of the main file, and one of each byte of the log. The log has checksums, so
 * that what is behind the damage is dropped, silently, as SQLite does. The main file has none: a bit of a value that stays JSON is
 * another value, and nobody can tell. Counted, so that it shows how often.
 */
export const databaseFlipped: Trial = async (cell) => {
  const outcomes = await eachVariant(cell, (bytes, at) => bits(cell).map((bit) => withFlippedBit(bytes, at, bit)), false);
  await eachLogVariant(cell, (bytes, at) => [withFlippedBit(bytes, at, cell.random.whole(0, 7))], outcomes);
  return { ...outcomes };
};

/** Whole frames behind a damaged one are dropped with it: the store at one moment, never without what is in the middle. */
export const framesBehindDamage: Trial = async (cell) => {
  const outcomes = noOutcomes();
  await eachLogVariant(cell, (bytes, at) => [Buffer.from(bytes).fill(0, at, Math.min(at + 4_096, bytes.length - 1)), Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 4_120)])], outcomes);
  return { ...outcomes };
};
