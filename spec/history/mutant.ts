import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { ViolationKind } from './violations.ts';

export interface Edit {
  /** Of the built package. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** The library with one thing broken on purpose. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** In what history it shows. */
  readonly args: readonly string[];
  /** At least one of these must be found. */
  readonly expected: readonly ViolationKind[];
}

/** What the history of every mutant has. */
export const commonArgs = ['--writes', '6000', '--processes', '3', '--restarts', '0', '--seconds', '120', '--settle-seconds', '5'] as const;

export const withoutFaults = ['--cuts', '0', '--kills', '0'] as const;
export const withAnswersLost = ['--cuts', '60', '--kills', '0', '--faults', 'answer-lost'] as const;
/** Only what a store hears at once it hears at all. */
export const withoutPoll = ['--poll-ms', '60000'] as const;

/**
 * The text of the file of a package, broken.
 * @throws Error if what is to be replaced is not there, or not only there: then nothing is known of the mutant.
 */
export async function edited(directory: string, { file, find, replace }: Edit): Promise<string> {
  const text = await readFile(join(directory, 'dist', file), 'utf8');
  const places = text.split(find).length - 1;
  if (places !== 1) throw new Error(`The mutant is out of date: dist/${file} has ${places} times: ${find}`);
  return text.replace(find, () => replace);
}
