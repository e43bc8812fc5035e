import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { edited, inBrokenCopy } from './broken-copy.ts';
import { commonArgs, type Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import type { ProviderName } from './place.ts';
import { violationKinds, type ViolationKind } from './violations.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** What a history is made of when it is built. */
const parts = ['build/spec/history', 'build/spec/crash', 'build/demos/support'] as const;

export interface Outcome {
  readonly name: string;
  readonly isRight: boolean;
  /** What was found, and how often. */
  readonly found: string;
  readonly elapsedMs: number;
}

/** What is broken shows in most histories, and must in one of so many. */
const attempts = 3;

/**
 * Breaks a copy of the package in one way after the other, and sees whether its history tells; and that it tells nothing where
 * nothing is broken. `only`: those with this in their names.
 */
export async function* runMutants(provider: ProviderName, only: string, signal: AbortSignal): AsyncGenerator<Outcome> {
  const chosen = mutants[provider].filter(({ name }) => name.includes(only));
  for (const { edits } of chosen) for (const edit of edits) await edited(root, edit);
  const controls = [...new Map(chosen.map(({ args }) => [args.join(' '), args])).values()];
  for (const args of controls) yield await inCopy(provider, { name: `nothing is broken (${args.join(' ')})`, edits: [], args, expected: [] }, signal);
  for (const mutant of chosen) yield await inCopy(provider, mutant, signal);
}

async function inCopy(provider: ProviderName, mutant: Mutant, signal: AbortSignal): Promise<Outcome> {
  const { name, edits, args, expected } = mutant;
  const startedAt = performance.now();
  return inBrokenCopy(root, parts, edits, async (copy) => {
    const program = join(copy, 'build/spec/history/main.js');
    for (let seed = 1; ; seed++) {
      const counts = await historyOf(program, ['--provider', provider, '--seed', String(seed), ...commonArgs, ...args], signal);
      const found = Object.entries(counts).map(([kind, count]) => `${kind} ${count}`).join(', ');
      const isRight = expected.length === 0 ? found === '' : expected.some((kind) => (counts[kind] ?? 0) > 0);
      if (isRight || expected.length === 0 || seed === attempts) return { name, isRight, found, elapsedMs: performance.now() - startedAt };
    }
  });
}

/** Runs a history. Resolves to how often it found what. */
async function historyOf(program: string, args: readonly string[], signal: AbortSignal): Promise<Partial<Record<ViolationKind, number>>> {
  const { stdout, stderr } = await new Promise<{ readonly stdout: string; readonly stderr: string }>((resolve, reject) => {
    execFile(process.execPath, [program, ...args, '--json'], { signal, killSignal: 'SIGTERM', maxBuffer: 2 ** 26 }, (error, out, err) => {
      // 1: it found something.
      if (error === null || error.code === 1) resolve({ stdout: out, stderr: err });
      else reject(new Error(`The history of a mutant failed: ${err}`, { cause: error }));
    });
  });
  const result: unknown = stdout.trim() === '' ? undefined : JSON.parse(stdout);
  if (typeof result !== 'object' || result === null || !('violationCounts' in result) || typeof result.violationCounts !== 'object' || result.violationCounts === null) {
    throw new Error(`The history of a mutant told nothing: ${stderr}`);
  }
  const counts = new Map<string, unknown>(Object.entries(result.violationCounts));
  const kinds = Object.keys(violationKinds).filter((kind): kind is ViolationKind => kind in violationKinds);
  return Object.fromEntries(kinds.flatMap((kind) => (counts.has(kind) ? [[kind, Number(counts.get(kind))]] : [])));
}
