// npm run history -- [--provider sqlite] [--processes 4] [--writes 100000] [--cuts 20] …
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { runHistory, type Result } from './history.ts';
import { argumentsFrom, usage, UsageError, type Arguments } from './options.ts';
import { reportOf } from './report.ts';
import { SqliteStorage } from './sqlite-storage.ts';

const program = fileURLToPath(new URL('worker.js', import.meta.url));

async function run(options: Arguments, signal: AbortSignal): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-history-'));
  const say = options.isJson ? (): void => undefined : (text: string): void => console.log(text);
  say(`seed ${options.seed}: ${options.processes} processes on ${options.provider}, ${options.writes} writes, in ${directory}`);
  let isToBeKept = false;
  try {
    const openStorage = (random: ConstructorParameters<typeof SqliteStorage>[1]): Promise<SqliteStorage> => Promise.resolve(new SqliteStorage(directory, random, options.pollMs));
    const result = await runHistory({ ...options, directory, program, openStorage, onProgress: say, signal });
    isToBeKept = result.violations.length > 0 && !options.isJson;
    say(`\n${reportOf(result)}`);
    if (isToBeKept) say(`\nkept: ${directory}`);
    return result;
  } finally {
    if (!isToBeKept) await rm(directory, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const options = argumentsFrom(process.argv.slice(2));
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ended.abort(new Error(`It was ended by ${signal}.`)));
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
