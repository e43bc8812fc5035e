// npm run faults -- [--long] [--rows N,…] [--columns …] [--only TEXT] [--seed N] [--json] [--write] [--mutants]
import process from 'node:process';

import { argumentsFrom, usage, UsageError, type Arguments } from './options.ts';
import { progressOf, summaryOf, tableOf, troublesOf } from './report.ts';
import { runMatrix } from './run-matrix.ts';
import { runMutants } from './run-mutants.ts';
import { writeReadme } from './write-readme.ts';

async function tryFaults(options: Arguments): Promise<void> {
  const say = options.isJson ? (): void => undefined : (text: string): void => console.log(text);
  say(`seed ${options.seed}, the ${options.isLong ? 'long' : 'short'} form\n`);
  const run = await runMatrix(options, (result) => {
    if (result.state !== 'absent') say(progressOf(result));
  });
  say(`\n${tableOf(run)}\n`);
  for (const trouble of troublesOf(run)) say(`BROKEN  ${trouble}\n`);
  say(summaryOf(run));
  if (options.write) await writeReadme(run);
  if (options.isJson) console.log(JSON.stringify(run));
  if (troublesOf(run).length > 0 || run.results.length === 0) process.exitCode = 1;
}

async function breakOnPurpose({ only }: Arguments): Promise<void> {
  let [killed, alive] = [0, 0];
  for await (const { mutant, isKilled, found, elapsedMs } of runMutants(only)) {
    console.log(`${isKilled ? 'killed' : 'ALIVE '}  ${(elapsedMs / 1_000).toFixed(0).padStart(3)} s  ${mutant}\n               ${found}`);
    if (isKilled) killed++;
    else alive++;
  }
  console.log(`\n${killed} killed, ${alive} alive`);
  if (alive > 0 || killed === 0) process.exitCode = 1;
}

try {
  const options = argumentsFrom(process.argv.slice(2));
  await (options.mutants ? breakOnPurpose(options) : tryFaults(options));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n${usage}`);
    process.exitCode = 2;
  } else throw error;
}
