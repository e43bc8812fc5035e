// npm run bench -- [--quick | --full] [--rows NAME,…] [--json FILE] [--svg FILE] [--base FILE] [--write] [--peers]
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';

import { chartOf } from './chart.ts';
import { describeMachine, sentenceOf } from './machine.ts';
import { optionsFrom, usage, UsageError, type Options } from './options.ts';
import { peerTable } from './peers/report.ts';
import { runPeers } from './peers/run-peers.ts';
import { writePeersPage } from './peers/write-page.ts';
import { headLine, lineOf, noiseLine, summaryLine } from './report.ts';
import type { Result } from './result.ts';
import type { Row } from './row.ts';
import { rows } from './rows/index.ts';
import { mendedBy, type Run } from './run.ts';
import { runRows } from './run-rows.ts';
import { writePage } from './write-page.ts';

async function measureRows(options: Options): Promise<void> {
  const { json, svg, base, write } = options;
  const wanted = rowsFor(options);
  const earlier = base === undefined ? undefined : await readRun(base);
  const machine = describeMachine();
  console.log(`${sentenceOf(machine)}\n\n${headLine}`);
  const results: Result[] = [];
  const startedAt = performance.now();
  let group = '';
  const failed: string[] = [];
  const fail = ({ name }: Row, error: unknown): void => {
    failed.push(name);
    process.exitCode = 1;
    console.error(`The row ${name} failed: ${error instanceof Error ? error.message : String(error)}`);
  };
  for await (const found of runRows(wanted, options.extent, fail)) {
    for (const result of found) {
      if (result.group !== group) console.log(`\n${result.group}`);
      group = result.group;
      console.log(lineOf(result));
    }
    results.push(...found);
  }
  console.log(`\n${[summaryLine(results), ...noiseLine(results), `It took ${Math.round((performance.now() - startedAt) / 1e3)} s.`].join('\n')}`);
  const measured: Run = { machine, extent: options.extent, rows: options.rows, results, failed, later: [] };
  const run = earlier === undefined ? measured : mendedBy(earlier, measured);
  await writeJson(json, run);
  if (svg !== undefined) await writeFile(svg, chartOf(run.results));
  if (write) await writePage(run);
}

async function readRun(path: string): Promise<Run> {
  return JSON.parse(await readFile(path, 'utf8')) as Run; // as `--json` wrote it
}

async function measurePeers({ extent, rows: names, json, write }: Options): Promise<void> {
  const isQuick = extent === 'quick';
  const largeKeys = isQuick ? 10_000 : 100_000;
  const machine = describeMachine();
  console.log(sentenceOf(machine));
  const results = await runPeers({ names, rounds: isQuick ? 3 : 5, largeKeys, say: (text) => console.log(`  ${text}`) });
  if (results.length === 0) throw new UsageError(`There is no peer whose name holds ${names.join(' or ')}.`);
  console.log(`\n${peerTable(results, largeKeys)}`);
  await writeJson(json, { machine, largeKeys, results });
  if (write) await writePeersPage(machine, results, largeKeys);
}

function rowsFor({ extent, rows: names }: Options): readonly Row[] {
  const wanted = rows.filter(({ name, lines, rounds }) => {
    if (names.length > 0) return names.some((start) => name.startsWith(start));
    if (extent === 'quick') return rounds.quick > 0;
    return rounds.full > 0 && (extent === 'full' || lines.some(({ budget }) => budget !== undefined));
  });
  if (wanted.length === 0) throw new UsageError(`There is no such row; there are ${rows.map(({ name }) => name).join(', ')}.`);
  return wanted;
}

async function writeJson(path: string | undefined, content: unknown): Promise<void> {
  if (path !== undefined) await writeFile(path, `${JSON.stringify(content, null, 2)}\n`);
}

try {
  const options = optionsFrom(process.argv.slice(2));
  await (options.peers ? measurePeers(options) : measureRows(options));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n${usage}`);
    process.exitCode = 2;
  } else throw error;
}
