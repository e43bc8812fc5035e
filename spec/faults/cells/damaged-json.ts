import { expect } from 'vitest';

import type { Random } from '../../crash/random.ts';
import { bits, oneOf, places, withFlippedBit } from './damage.ts';
import { closedJsonHistory, killedJsonHistory, type History } from './histories.ts';
import { JsonVariants, noOutcomes, type Outcomes } from './json-variants.ts';
import { recordsOf, type RecordPlace } from './log-records.ts';
import type { Cell, Trial } from './matrix.ts';
import { wordsOf } from './opening.ts';

const tally = (outcomes: Outcomes): Record<string, number> => ({ ...outcomes });

/**
 * Each file cut off at every byte. Of the last log that leaves the batches that are whole, and the rest is told; one that ends
 * where a batch does is as it was once, and nothing can show what is missing. Everything else is refused.
 */
export const cutOff: Trial = async (cell) => {
  const outcomes = noOutcomes();
  for (const history of [await closedJsonHistory(cell, 40), await killedJsonHistory(cell, 20)]) {
    const variants = await JsonVariants.of(history);
    const names = [...history.picture.files.keys()];
    for (const name of names) {
      const isLast = name.endsWith('.log') && name === names.at(-1);
      if (isLast) await cutTail(cell, history, name, variants, outcomes);
      else await cutFile(cell, history, name, variants, outcomes);
    }
  }
  expect(outcomes.earlier).toBeGreaterThan(0);
  return tally(outcomes);
};

async function cutFile(cell: Cell, { picture }: History, name: string, variants: JsonVariants, outcomes: Outcomes): Promise<void> {
  const bytes = picture.bytesOf(name);
  for (const length of places(bytes.length, cell, 100)) {
    const opening = await variants.open(name, bytes.subarray(0, length));
    // Of nothing at all it cannot be known what it was; that it is taken for an empty dictionary is told.
    if (length === 0 && picture.files.size === 1) expect(wordsOf(opening)).toContain('has no content at all');
    else variants.expectNoticed(opening, outcomes, `${name} of ${bytes.length} bytes, cut off at ${length}`);
  }
}

async function cutTail(cell: Cell, { picture, subject, saves }: History, name: string, variants: JsonVariants, outcomes: Outcomes): Promise<void> {
  const log = picture.bytesOf(name);
  const records = recordsOf(log);
  expect(records.length, 'a save a record').toBe(saves.length);
  for (const length of places(log.length, cell, 200)) {
    const opening = await variants.open(name, log.subarray(0, length));
    const whole = records.filter(({ end }) => end <= length).length;
    const what = `${name} of ${log.length} bytes, cut off at ${length}, behind ${whole} batches`;
    if (opening.isRefused) {
      expect(length, what).toBeLessThan(records[0]?.start ?? 0);
      variants.expectNoticed(opening, outcomes, what);
      continue;
    }
    outcomes.tried++;
    outcomes.earlier++;
    const verdict = subject.verdictOf(opening.entries, 0);
    expect(verdict, what).toMatchObject({ right: true });
    if (verdict.right) expect(verdict.found, what).toBeGreaterThanOrEqual(saves[whole - 1] ?? 0);
    const isWithin = !records.some(({ start, end }) => start === length || end === length);
    expect(wordsOf(opening), what).toMatch(isWithin ? /ends within a batch that was being written/ : /^$/);
  }
}

/** Every byte flipped, of every file: refused, or harmless. The times of the files stay, as a disk that rots leaves them. */
export const flipped: Trial = async (cell) => {
  const outcomes = noOutcomes();
  for (const history of [await closedJsonHistory(cell, 40), await killedJsonHistory(cell, 20)]) {
    const variants = await JsonVariants.of(history);
    for (const [name, bytes] of history.picture.files) {
      for (const at of places(bytes.length, cell, 150)) {
        for (const bit of bits(cell)) variants.expectNoticed(await variants.open(name, withFlippedBit(bytes, at, bit)), outcomes, `${name}, bit ${bit} of byte ${at}`);
      }
    }
  }
  return tally(outcomes);
};

/** Whoever wrote the record behind had had the damaged one acknowledged: it is no torn tail, and is refused. */
export const damagedBeforeValid: Trial = async (cell) => {
  const outcomes = noOutcomes();
  const history = await killedJsonHistory(cell, 60);
  const variants = await JsonVariants.of(history);
  const logs = [...history.picture.files.keys()].filter((name) => name.endsWith('.log'));
  while (outcomes.tried < cell.times(200, 20_000)) {
    const name = oneOf(logs, cell.random);
    const log = history.picture.bytesOf(name);
    const records = recordsOf(log);
    const record = oneOf(records.slice(0, -1), cell.random);
    const kind = oneOf(kinds, cell.random);
    const { bytes, end } = damagedRecord(log, record, kind, cell.random);
    if (!records.some(({ start }) => start >= end)) continue; // the last one was hit, too
    variants.expectNoticed(await variants.open(name, bytes), outcomes, `${kind} in ${name}, in the record at byte ${record.start}`);
  }
  expect(outcomes.whole).toBe(0);
  return tally(outcomes);
};

const kinds = ['NULs', 'sectors of NUL', 'noise', 'bytes that are gone', 'bytes too many'] as const;

const sectorBytes = 512;

/** The log with damage in this record, and where that ends in the log as it was. */
function damagedRecord(log: Buffer, { start, end }: RecordPlace, kind: (typeof kinds)[number], random: Random): { readonly bytes: Buffer; readonly end: number } {
  const from = random.whole(start, end - 2);
  const to = random.whole(from + 1, end - 1);
  switch (kind) {
    case 'NULs':
      return { bytes: Buffer.from(log).fill(0, from, to), end: to };
    case 'sectors of NUL': {
      const sector = Math.ceil(from / sectorBytes) * sectorBytes;
      const [first, last] = [random.chance(0.5) ? start : Math.min(sector, end - 1), Math.min(log.length, sector + sectorBytes)];
      return { bytes: Buffer.from(log).fill(0, first, last), end: last };
    }
    case 'noise':
      return { bytes: Buffer.concat([log.subarray(0, from), log.subarray(from, to).map((byte) => byte ^ random.whole(1, 255)), log.subarray(to)]), end: to };
    case 'bytes that are gone':
      return { bytes: Buffer.concat([log.subarray(0, from), log.subarray(to)]), end: to };
    case 'bytes too many':
      return { bytes: Buffer.concat([log.subarray(0, from), log.subarray(start, to), log.subarray(from)]), end: to };
  }
}
