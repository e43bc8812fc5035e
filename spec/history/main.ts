// npm run history -- [--provider sqlite] [--processes 4] [--writes 100000] [--cuts 20] …
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import type { Random } from '../crash/random.ts';
import { runHistory, type Result } from './history.ts';
import { argumentsFrom, usage, UsageError, type Arguments } from './options.ts';
import { reportOf } from './report.ts';
import { runMutants } from './run-mutants.ts';
import { PostgresStorage } from './postgres-storage.ts';
import { SqliteStorage } from './sqlite-storage.ts';
import type { Storage } from './storage.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const program = fileURLToPath(new URL('worker.js', import.meta.url));

async function run(options: Arguments, signal: AbortSignal): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-history-'));
  const say = options.isJson ? (): void => undefined : (text: string): void => console.log(text);
  say(`seed ${options.seed}: ${options.processes} processes on ${options.provider}, ${options.writes} writes, in ${directory}`);
  let isToBeKept = false;
  try {
    const openStorage = async (random: Random): Promise<Storage> => {
      const { provider, processes, pollMs } = options;
      return provider === 'sqlite' ? new SqliteStorage(directory, random, pollMs) : PostgresStorage.open({ random, processes, pollMs });
    };
    const result = await runHistory({ ...options, directory, program, openStorage, onProgress: say, signal });
    isToBeKept = result.violations.length > 0 && !options.isJson;
    say(`\n${reportOf(result)}`);
    if (isToBeKept) say(`\nkept: ${directory}`);
    return result;
  } finally {
    if (!isToBeKept) await rm(directory, { recursive: true, force: true });
  }
}

/** Whether every one was noticed. */
async function breakOnPurpose({ provider, only }: Arguments, signal: AbortSignal): Promise<boolean> {
  let areAllRight = true;
  for await (const { name, isRight, found, elapsedMs } of runMutants(provider, only, signal)) {
    console.log(`${isRight ? 'right' : 'WRONG'}  ${(elapsedMs / 1_000).toFixed(0).padStart(3)} s  ${name}: ${found === '' ? 'nothing found' : found}`);
    areAllRight &&= isRight;
  }
  return areAllRight;
}

async function main(): Promise<void> {
  const options = argumentsFrom(process.argv.slice(2));
  const ended = new AbortController();
  // Not once: the server's own listener sends the signal again.
  for (const signal of signals) process.on(signal, () => ended.abort(new Error(`It was ended by ${signal}.`)));
  if (options.mutants) {
    if (!(await breakOnPurpose(options, ended.signal))) process.exitCode = 1;
    return;
  }
  const result = await run(options, ended.signal);
  if (options.isJson) console.log(JSON.stringify(result));
  if (result.violations.length > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n${usage}`);
    process.exitCode = 2;
  } else throw error;
}
