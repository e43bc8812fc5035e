import { availableParallelism } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { startVitest, type Reporter, type TestCase } from 'vitest/node';

import { bundlePrograms } from './bundle-programs.ts';
import { columns } from './form.ts';
import type { Arguments } from './options.ts';
import type { Result, Run } from './result.ts';

/** Of the project, as seen from where this file is built. */
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What a test leaves behind for the matrix. */
interface Meta {
  readonly absent?: string;
  readonly lacks?: string;
  readonly tally?: Readonly<Record<string, number>>;
}

/** Tries every cell that is asked for. `onResult` hears of each as it ends. */
export async function runMatrix({ rows, only, isLong, seed, columns: asked }: Arguments, onResult: (result: Result) => void): Promise<Run> {
  const startedAt = performance.now();
  await bundlePrograms();
  const results: Result[] = [];
  const errors: string[] = [];
  const reporter: Reporter = {
    onTestCaseResult: (test) => {
      const result = resultOf(test);
      if (result === undefined) return;
      results.push(result);
      onResult(result);
    },
    onTestModuleEnd: (module) => void errors.push(...module.errors().map(textOf)),
    onTestSuiteResult: (suite) => void errors.push(...suite.errors().map(textOf)),
    onTestRunEnd: (_modules, unhandled) => void errors.push(...unhandled.map(textOf)),
  };
  const limitMs = isLong ? 0 : 120_000;
  const vitest = await startVitest('test', rows.map((row) => `rows/${String(row).padStart(2, '0')}-`), {
    root,
    config: false,
    include: ['spec/faults/rows/*.faults.ts'],
    pool: 'forks', // what is done to one row's process is done to no other's
    maxWorkers: availableParallelism() + 1, // most cells wait: for disks, servers and processes
    testTimeout: limitMs,
    hookTimeout: limitMs,
    expect: { poll: { timeout: 10_000 } },
    chaiConfig: { truncateThreshold: 2_000 }, // what comes once in hours is to say all that it knows
    watch: false,
    reporters: [reporter],
    provide: { form: { isLong, seed, columns: asked } },
    ...(only === '' ? {} : { testNamePattern: only.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`) }),
    server: { deps: { external: [/\/dist\//] } }, // the built package, as a user's Node loads it
  });
  await vitest.close();
  process.exitCode = undefined; // what it means that a cell is broken is for us to say
  results.sort((left, right) => left.row - right.row); // stable: as they stand in their rows
  return { seed, isLong, node: process.version, elapsedMs: performance.now() - startedAt, results, errors };
}

/** Nothing for a cell that was not asked for. */
function resultOf(test: TestCase): Result | undefined {
  const { absent, lacks, tally = {} } = test.meta() as Meta; // written by the matrix itself
  const { state, errors = [] } = test.result();
  if (state === 'pending' || (state === 'skipped' && absent === undefined && lacks === undefined)) return undefined;
  const fault = test.parent;
  const title = 'parent' in fault && 'name' in fault.parent ? fault.parent.name : '';
  const column = columns.find((name) => name === test.name);
  if (!('name' in fault) || column === undefined) throw new Error(`${test.fullName} is no cell of the matrix.`);
  const [number = ''] = title.split(' ', 1);
  return {
    row: Number(number),
    title: title.slice(number.length + 1),
    fault: fault.name,
    column,
    state: state === 'passed' ? 'held' : state === 'failed' ? 'broken' : absent !== undefined ? 'absent' : 'skipped',
    tally,
    detail: state === 'failed' ? errors.map(textOf).join('\n') : (absent ?? lacks ?? ''),
    elapsedMs: test.diagnostic()?.duration ?? 0,
  };
}

function textOf({ message, stack }: { readonly message: string; readonly stack?: string | undefined }): string {
  const place = stack?.split('\n').filter((line) => line.includes('/spec/')).slice(0, 3).join('\n');
  return place === undefined || place === '' ? message : `${message}\n${place}`;
}
