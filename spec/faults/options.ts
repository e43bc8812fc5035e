import { parseArgs } from 'node:util';

import { columns, type Column, type Form } from './form.ts';

export interface Arguments extends Form {
  /** Those rows alone; none: all. */
  readonly rows: readonly number[];
  /** Those faults alone that have this in their names. */
  readonly only: string;
  readonly isJson: boolean;
  /** Writes the table into spec/faults/README.md. */
  readonly write: boolean;
  /** Breaks the library on purpose, and sees whether a cell notices. */
  readonly mutants: boolean;
}

export class UsageError extends Error {}

export const usage = `usage: npm run faults -- [--long] [--rows N,…] [--columns ${columns.join(',')}] [--only TEXT] [--seed N] [--json] [--write]
       npm run faults -- --mutants [--only TEXT]`;

const known = {
  long: { type: 'boolean' },
  rows: { type: 'string' },
  columns: { type: 'string' },
  only: { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'boolean' },
  write: { type: 'boolean' },
  mutants: { type: 'boolean' },
} as const;

/** @throws UsageError that says what was expected and what came. */
export function argumentsFrom(args: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({ args: [...args], options: known, strict: false, allowPositionals: true });
  const given = new Map(Object.entries(values));
  for (const name of given.keys()) if (!(name in known)) throw new UsageError(`there is no option --${name}`);
  if (positionals.length > 0) throw new UsageError(`what is ${JSON.stringify(positionals[0])} to mean?`);
  const text = (name: keyof typeof known): string | undefined => {
    const value = given.get(name);
    if (value !== undefined && typeof value !== 'string') throw new UsageError(`--${name} needs a value`);
    return value;
  };
  return {
    isLong: given.get('long') === true,
    seed: seedFrom(text('seed')),
    columns: columnsFrom(text('columns')),
    rows: text('rows')?.split(',').map((row) => wholeFrom('rows', row, 1, 99)) ?? [],
    only: text('only') ?? '',
    isJson: given.get('json') === true,
    write: given.get('write') === true,
    mutants: given.get('mutants') === true,
  };
}

function columnsFrom(text: string | undefined): readonly Column[] {
  if (text === undefined) return columns;
  return text.split(',').map((name) => {
    const column = columns.find((one) => one === name);
    if (column === undefined) throw new UsageError(`--columns should be of ${columns.join(', ')}, not ${name}`);
    return column;
  });
}

function seedFrom(text: string | undefined): number {
  return text === undefined ? Date.now() % 1_000_000 : wholeFrom('seed', text, 0, 2 ** 32 - 1);
}

function wholeFrom(name: string, text: string, least: number, most: number): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < least || value > most) throw new UsageError(`--${name} should be a whole number from ${least} to ${most}, not ${text}`);
  return value;
}
