// npm run bench -- [--quick | --full] [--rows NAME,…] [--json FILE] [--svg FILE] [--write] [--peers]
import { writeFile } from 'node:fs/promises';
import process from 'node:process';

import { describeMachine, sentenceOf } from './machine.ts';
import { optionsFrom, usage, UsageError, type Options } from './options.ts';
import { headLine, lineOf, summaryLine } from './report.ts';
import type { Result } from './result.ts';
import { rows } from './rows/index.ts';
import { runRows } from './run-rows.ts';

async function bench({ extent, rows: names, json }: Options): Promise<void> {
  const wanted = rows.filter(({ name, lines, rounds }) => {
    if (names.length > 0) return names.some((start) => name.startsWith(start));
    if (extent === 'full') return true;
    return extent === 'quick' ? rounds.quick > 0 : lines.some(({ budget }) => budget !== undefined);
  });
  if (wanted.length === 0) throw new UsageError(`There is no such row; there are ${rows.map(({ name }) => name).join(', ')}.`);
  const machine = describeMachine();
  console.log(`${sentenceOf(machine)}\n\n${headLine}`);
  const results: Result[] = [];
  let group = '';
  for await (const found of runRows(wanted, extent)) {
    for (const result of found) {
      if (result.group !== group) console.log(`\n${result.group}`);
      group = result.group;
      console.log(lineOf(result));
    }
    results.push(...found);
  }
  console.log(`\n${summaryLine(results)}`);
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ machine, extent, results }, null, 2)}\n`);
}

try {
  await bench(optionsFrom(process.argv.slice(2)));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n${usage}`);
    process.exitCode = 2;
  } else throw error;
}
