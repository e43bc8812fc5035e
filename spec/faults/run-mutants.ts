import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { edited, inBrokenCopy } from '../history/broken-copy.ts';
import { mutants, type Mutant } from './mutants.ts';
import type { Result, Run } from './result.ts';

/** Of the project, as seen from where this file is built. */
const root = fileURLToPath(new URL('../../..', import.meta.url));
/** What a run of the matrix is made of, besides the package. */
const parts = ['build/spec', 'build/demos', 'spec', 'demos', 'lib', 'tsconfig.json'];

export interface Outcome {
  readonly mutant: string;
  readonly isKilled: boolean;
  /** The cell that turned red, and what it said; or what happened instead. */
  readonly found: string;
  readonly elapsedMs: number;
}

/** What shows at random moments must show at one of so many seeds. */
const seeds = 3;

/** Breaks a copy of the package in one way after the other, and sees whether the cell that guards it turns red. `only`: those with this in their names. */
export async function* runMutants(only: string): AsyncGenerator<Outcome> {
  const chosen = mutants.filter(({ name }) => name.includes(only));
  for (const { edits } of chosen) for (const edit of edits) await edited(root, edit);
  for (const mutant of chosen) yield await runMutant(mutant);
}

async function runMutant({ name, edits, row, fault, column }: Mutant): Promise<Outcome> {
  const startedAt = performance.now();
  return inBrokenCopy(root, parts, edits, async (copy) => {
    const program = join(copy, 'build/spec/faults/main.js');
    let found = '';
    for (let seed = 1; seed <= seeds; seed++) {
      const { results, errors } = await runOf(program, ['--rows', String(row), '--columns', column, '--only', fault, '--seed', String(seed)]);
      const broken = results.find(({ state }) => state === 'broken');
      if (broken !== undefined) return { mutant: name, isKilled: true, found: `${cellOf(broken)}: ${broken.detail.split('\n', 1)[0] ?? ''}`, elapsedMs: performance.now() - startedAt };
      const said = [...results.map((result) => `${cellOf(result)} ${result.state} ${result.detail}`), ...errors];
      found = said.length === 0 ? `there is no cell "${fault}" in row ${row}` : said.join('; ');
    }
    return { mutant: name, isKilled: false, found, elapsedMs: performance.now() - startedAt };
  });
}

function cellOf({ row, fault, column }: Result): string {
  return `${row}. ${fault}, ${column}`;
}

async function runOf(program: string, args: readonly string[]): Promise<Run> {
  const { stdout, stderr } = await new Promise<{ readonly stdout: string; readonly stderr: string }>((resolve) => {
    // Its exit code says no more than what it prints.
    execFile(process.execPath, [program, ...args, '--json'], { maxBuffer: 2 ** 26 }, (_error, out, err) => resolve({ stdout: out, stderr: err }));
  });
  const [line] = stdout.split('\n').filter((text) => text.startsWith('{"seed":'));
  if (line === undefined) throw new Error(`The matrix of a mutant told nothing: ${stdout}${stderr}`);
  return JSON.parse(line) as Run; // printed by our own program
}
