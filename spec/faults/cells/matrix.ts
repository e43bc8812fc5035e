import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, inject, it } from 'vitest';

import { Random } from '../../crash/random.ts';
import type { Column, Form, Tally } from '../form.ts';
import { missing, type Part } from './parts.ts';

declare module 'vitest' {
  interface ProvidedContext {
    readonly form: Form;
  }

  interface TaskMeta {
    /** Why the fault cannot occur in this column. */
    absent?: string;
    /** What this machine lacks to have it. */
    lacks?: string;
    tally?: Tally;
  }
}

/** What a cell is tried with. */
export interface Cell {
  readonly column: Column;
  /** Empty, and gone afterwards. */
  readonly directory: string;
  readonly random: Random;
  /** How often: in the short form, and in the long one. */
  times(short: number, long: number): number;
}

/** Does to a store what its row says, and returns what it counted. Throws if the store did not keep its promise. */
export type Trial = (cell: Cell) => Promise<Tally>;

export interface Absent {
  readonly absent: string;
}

/** Says why a fault cannot occur in a column. */
export function absent(reason: string): Absent {
  return { absent: reason };
}

export interface FaultOptions {
  /** What it takes that not every machine has. In CI, none may be missing. */
  readonly needs?: readonly Part[];
}

const { isLong, seed, columns: asked } = inject('form');

/** A row of the matrix: a kind of fault. `title` says in a few words what is done. */
export function row(number: number, title: string, define: () => void): void {
  describe(`${number} ${title}`, define);
}

/** One fault, tried in each column where it can occur. */
export function fault(name: string, columns: Readonly<Record<Column, Trial | Absent>>, { needs = [] }: FaultOptions = {}): void {
  describe(name, () => {
    const lacks = needs.filter(missing).join(', ');
    for (const column of asked) {
      const trial = columns[column];
      if (typeof trial !== 'function') it.skip(column, { meta: trial });
      else if (lacks !== '' && process.env['CI'] === undefined) it.skip(column, { meta: { lacks } });
      else it(column, ({ task }) => {
        if (lacks !== '') throw new Error(`This machine lacks ${lacks}.`);
        return inDirectory(async (directory) => {
          task.meta.tally = await trial({ column, directory, random: new Random(seed), times: (short, long) => (isLong ? long : short) });
        });
      });
    }
  });
}

/** The same trial in each of these columns; `reasons`: why not in the others. */
export function inColumns(columns: readonly Column[], trial: Trial, reasons: Partial<Record<Column, string>> = {}): Readonly<Record<Column, Trial | Absent>> {
  const cell = (column: Column): Trial | Absent => (columns.includes(column) ? trial : absent(reasons[column] ?? 'cannot occur'));
  return { memory: cell('memory'), 'json-file': cell('json-file'), sqlite: cell('sqlite'), postgres: cell('postgres') };
}

async function inDirectory(trial: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-fault-'));
  try {
    await trial(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
