// npm run crash -- [--cycles 1000] [--provider sqlite|json-file|all] [--seed N]
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { runCycles, type Report } from './cycles.ts';
import { providerNames, type ProviderName } from './storage.ts';

const usage = `usage: npm run crash -- [--cycles 1000] [--provider ${providerNames.join('|')}|all] [--seed N]`;

interface Arguments {
  readonly cycles: number;
  readonly providers: readonly ProviderName[];
  readonly seed: number;
}

/** Returns `undefined` for what it does not understand. */
function argumentsFrom(args: readonly string[]): Arguments | undefined {
  const options = { cycles: { type: 'string', default: '1000' }, provider: { type: 'string', default: 'all' }, seed: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true });
  const isKnown = positionals.length === 0 && Object.keys(values).every((name) => name in options);
  const cycles = Number(values.cycles);
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const providers = providerNames.filter((name) => values.provider === 'all' || values.provider === name);
  const isUnderstood = isKnown && Number.isSafeInteger(cycles) && cycles > 0 && Number.isSafeInteger(seed) && providers.length > 0;
  return isUnderstood ? { cycles, providers, seed } : undefined;
}

function progress({ provider, cycles, acknowledged, elapsedMs }: Report): string {
  return `${provider}: ${cycles} cycles, ${acknowledged} changes acknowledged, ${(elapsedMs / cycles).toFixed(0)} ms a cycle`;
}

function table(reports: readonly Report[]): string {
  const rows: [string, (report: Report) => number | string][] = [
    ['cycles', ({ cycles }) => cycles],
    ['killed while starting', ({ kills }) => kills.starting],
    ['killed during open', ({ kills }) => kills.opening],
    ['killed during save', ({ kills }) => kills.saving],
    ['killed with changes pending', ({ kills }) => kills.unsaved],
    ['killed while idle', ({ kills }) => kills.idle],
    ['killed during close', ({ kills }) => kills.closing],
    ['killed when closed', ({ kills }) => kills.closed],
    ['storages started from nothing', ({ fresh }) => fresh],
    ['changes applied', ({ changes }) => changes],
    ['changes acknowledged', ({ acknowledged }) => acknowledged],
    ['found ahead of acknowledged', ({ ahead }) => ahead],
    ['temporary files left', ({ temporary }) => temporary],
    ['half-written ends told', ({ told }) => told],
    ['entries checked', ({ entries }) => entries],
    ['milliseconds a cycle', ({ elapsedMs, cycles }) => (elapsedMs / cycles).toFixed(0)],
    ['violations', ({ violation }) => (violation === undefined ? 0 : 1)],
  ];
  const cells = [['', ...reports.map(({ provider }) => provider)], ...rows.map(([name, cell]) => [name, ...reports.map((report) => String(cell(report)))])];
  return cells.map(([name = '', ...values]) => `${name.padEnd(32)}${values.map((value) => value.padStart(12)).join('')}`).join('\n');
}

async function main({ cycles, providers, seed }: Arguments): Promise<void> {
  const writer = fileURLToPath(new URL('writer.js', import.meta.url));
  const root = await mkdtemp(join(tmpdir(), 'rx-persistify-crash-'));
  console.log(`seed ${seed}, ${cycles} cycles of ${providers.join(' and ')}, in ${root}`);
  const reports: Report[] = [];
  for (const provider of providers) {
    const directory = join(root, provider);
    await mkdir(directory);
    const onCycle = (report: Report): void => {
      if (report.cycles % 100 === 0) console.log(progress(report));
    };
    reports.push(await runCycles({ provider, cycles, seed, writer, directory, onCycle }));
  }
  console.log(`\n${table(reports)}`);
  const violated = reports.flatMap(({ provider, violation }) => (violation === undefined ? [] : [{ provider, ...violation }]));
  for (const { provider, cycle, wrong, detail, kept } of violated) {
    console.log(`\nVIOLATION: ${provider}, seed ${seed}, cycle ${cycle}: ${wrong}: ${detail}\nkept: ${kept}`);
  }
  if (violated.length > 0) process.exitCode = 1;
  else await rm(root, { recursive: true, force: true });
}

const given = argumentsFrom(process.argv.slice(2));
if (given !== undefined) await main(given);
else {
  console.error(usage);
  process.exitCode = 2;
}
