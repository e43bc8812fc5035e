// Runs every demo, or those that are named, one after the other, each in a process of its own: npm run demo [-- quick-start.js …]
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

import { inTemporaryDirectory } from './support/demo.ts';

interface Demo {
  readonly title: string;
  readonly file: string;
  readonly args?: readonly string[];
}

interface Outcome {
  readonly title: string;
  readonly seconds: number;
  /** How it ended badly; `undefined` if it did not. */
  readonly failure: string | undefined;
}

const limitMs = 60_000;

await inTemporaryDirectory(async (directory) => {
  const demos: readonly Demo[] = [
    { title: 'Quick start', file: 'quick-start.js' },
    { title: 'Live changes', file: 'live-changes.js' },
    { title: 'A configuration store', file: 'configuration.js' },
    { title: 'A hot-edited configuration file', file: 'hot-configuration.js' },
    { title: '10,000 metrics at high frequency', file: 'high-frequency.js' },
    { title: 'A flaky disk', file: 'flaky-disk.js' },
    { title: 'Undo and redo', file: 'undo-redo.js' },
    { title: 'A custom provider', file: 'custom-provider.js' },
    { title: 'A graceful end', file: 'graceful-end.js' },
    { title: 'Two processes, one SQLite file', file: 'two-processes.js' },
    { title: 'Three processes, one PostgreSQL', file: 'http-service.js' },
    { title: 'From a JSON file to PostgreSQL', file: 'move-to-postgres.js' },
    { title: 'Web sessions', file: 'session-cache.js' },
    { title: 'A cache in front of a service', file: 'api-cache.js' },
    { title: 'Telemetry, in SQLite', file: 'telemetry/main.js', args: ['--seconds', '2', '--data', directory] },
    { title: 'Telemetry again: what it finds', file: 'telemetry/main.js', args: ['--seconds', '1.5', '--data', directory] },
  ];
  const named = process.argv.slice(2).map((file) => demos.find((demo) => demo.file === file) ?? { title: file, file });
  const outcomes: Outcome[] = [];
  for (const demo of named.length === 0 ? demos : named) outcomes.push(await run(demo));
  printTable(outcomes);
});

async function run({ title, file, args = [] }: Demo): Promise<Outcome> {
  console.log(`\n━━ ${title} ${'━'.repeat(Math.max(0, 74 - title.length))}`);
  const began = performance.now();
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...args], { stdio: ['ignore', 'pipe', 'inherit'], timeout: limitMs });
  child.stdout.pipe(process.stdout, { end: false });
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? `code ${code ?? '?'}`}`));
  });
  return { title, seconds: (performance.now() - began) / 1_000, failure };
}

function printTable(outcomes: readonly Outcome[]): void {
  console.log(`\n━━ In short ${'━'.repeat(66)}`);
  for (const { title, seconds, failure } of outcomes) {
    console.log(`  ${failure === undefined ? '✓' : '✗'} ${title.padEnd(36)} ${seconds.toFixed(1).padStart(5)} s  ${failure ?? ''}`.trimEnd());
  }
  const failed = outcomes.filter(({ failure }) => failure !== undefined).length;
  console.log(failed === 0 ? '\nEach shows what it claims.' : `\n${failed} of ${outcomes.length} failed.`);
  if (failed > 0) process.exitCode = 1;
}
