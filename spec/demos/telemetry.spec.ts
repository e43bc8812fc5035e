import { spawnSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';

import type { FileProvider } from '../../demos/telemetry/arguments.ts';
import { sortSamples, type Measurement, type Sample } from '../../demos/telemetry/history.ts';
import { openMeasurements } from '../../demos/telemetry/open-measurements.ts';
import { builtDemo, runDemo, start, startDemo, temporaryDirectory, type Outcome, type Test } from './run-demo.ts';

const escape = '\x1b[';
const program = 'telemetry/main.js';

/** What a run said in the end that it leaves, or at the start that it found. */
function keptIn(text: string, after: RegExp): readonly number[] {
  const [, metrics, samples] = new RegExp(`${after.source} (\\d+) metrics, (\\d+) samples, \\d{4}-`).exec(text) ?? expect.fail(`Nothing kept in:\n${text}`);
  return [Number(metrics), Number(samples)];
}

async function storedBy(provider: FileProvider, directory: string): Promise<{ readonly current: ReadonlyMap<string, Measurement>; readonly samples: readonly Sample[] }> {
  const { current, slots } = await openMeasurements({ provider, directory });
  const stored = { current: new Map(current), samples: sortSamples(slots.values()) };
  await Promise.all([current.close(), slots.close()]);
  return stored;
}

function expectSaved({ stdout, stderr }: Outcome): void {
  expect(stderr).toBe('');
  expect(stdout).toContain('Everything is saved.');
}

describe.concurrent('telemetry', () => {
  for (const provider of ['sqlite', 'json-file'] as const) {
    it(`finds what the run before kept, and goes on from there: ${provider}`, async (test) => {
      const directory = await temporaryDirectory(test);
      const args = ['--seconds', '1.2', '--provider', provider, '--data', directory];
      const first = await runDemo(test, program, args);
      expect(first.stdout).toMatch(/^Nothing is kept here yet\.\nDashboard: /);
      expect(first.stdout).toMatch(/^\d\d:\d\d:\d\d {2}sample \d+ {2}cpu \d+\.\d %, memory used /m);
      expectSaved(first);
      expect(first.code).toBe(0);

      const second = await runDemo(test, program, args);
      const left = keptIn(first.stdout, /holds/);
      expect(keptIn(second.stdout, /^Found/)).toEqual(left);
      expectSaved(second);
      expect(second.code).toBe(0);

      const { current, samples } = await storedBy(provider, directory);
      expect([current.size, samples.length]).toEqual(keptIn(second.stdout, /holds/));
      expect(samples.length).toBeGreaterThan(left[1] ?? 0);
      expect(samples.map(({ sequence }) => sequence)).toEqual(samples.map((_, index) => index + 1)); // without a gap over both runs
    });
  }

  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
    it(`saves everything when it gets ${signal}`, async (test) => {
      const directory = await temporaryDirectory(test);
      const run = startDemo(test, program, ['--data', directory]);
      await run.printed(/sample \d/);
      run.process.kill(signal);
      const outcome = await run.ended;
      expectSaved(outcome);
      expect(outcome.stdout).toContain(`${signal}: saving …`);
      expect(outcome.code).toBe(code);

      const { current, samples } = await storedBy('sqlite', directory);
      expect([current.size, samples.length]).toEqual(keptIn(outcome.stdout, /holds/));
      const last = samples.at(-1) ?? expect.fail('There are no samples.');
      expect(Object.fromEntries(current)).toEqual(Object.fromEntries(Object.entries(last.values).map(([metric, value]) => [metric, { value, at: last.at }])));
    });
  }

  it('saves everything when nobody reads its output any more', async (test) => {
    const directory = await temporaryDirectory(test);
    const run = startDemo(test, program, ['--data', directory]);
    await run.printed(/sample \d/);
    run.process.stdout?.destroy();
    expect((await run.ended).code).toBe(0);
    expect((await storedBy('sqlite', directory)).samples.length).toBeGreaterThan(0);
  });

  it('says so when not everything could be saved', async (test) => {
    const directory = await temporaryDirectory(test);
    const run = startDemo(test, program, ['--data', directory]);
    await run.printed(/[1-9]\d* batches/);
    const other = new Database(join(directory, 'telemetry.sqlite'));
    test.onTestFinished(() => void other.close());
    other.exec('begin immediate'); // nobody else can write
    await run.printed(/error: .*database is locked/);
    run.process.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    expect(stderr).toMatch(/keys are not saved: "cpu"/);
    expect(stdout).toMatch(/SIGINT: saving …\nNot everything could be saved\.\n\d+ changes in [^\n]*\n$/);
    expect(code).toBe(1);
  });

  it('tells what it cannot open, and leaves it as it is', async (test) => {
    const directory = await temporaryDirectory(test);
    await writeFile(join(directory, 'telemetry.sqlite'), 'This is no database, but a text that somebody put here.'.repeat(100));
    const { code, stderr } = await runDemo(test, program, ['--seconds', '1', '--data', directory]);
    expect(stderr).toMatch(/^Cannot open .*telemetry\.sqlite: /);
    expect(stderr).not.toContain('    at ');
    expect(code).toBe(1);
  });

  it('keeps its data in ./data unless told otherwise', async (test) => {
    const directory = await temporaryDirectory(test);
    await mkdir(join(directory, 'here'));
    await runDemo(test, program, ['--seconds', '0.3', '--provider', 'json-file'], join(directory, 'here'));
    expect(await readdir(join(directory, 'here'))).toEqual(['data']);
    expect((await readdir(join(directory, 'here', 'data', 'telemetry'))).sort()).toEqual(['current.json', 'samples.json']);
  });

  it('explains itself', async (test) => {
    const { code, stdout } = await runDemo(test, program, ['--help']);
    for (const option of ['--port', '--seconds', '--provider', '--postgres', '--data', 'Ctrl-C', 'NO_COLOR']) expect(stdout).toContain(option);
    expect(code).toBe(0);
  });

  for (const [args, message] of [
    [['--seconds', 'soon'], "--seconds must be a number from above 0 to 1000000, not 'soon'"],
    [['--provider', 'mongo'], "--provider must be sqlite or json-file, not 'mongo'"],
    [['--secnods', '5'], "Unknown option '--secnods'"],
  ] as const) {
    it(`refuses ${args.join(' ')} with exit code 2`, async (test) => {
      const { code, stdout, stderr } = await runDemo(test, program, args);
      expect(stderr).toBe(`${message}\nSee --help.\n`);
      expect(stdout).toBe('');
      expect(code).toBe(2);
    });
  }

  const canHaveTerminal = String(spawnSync('script', ['--version']).stdout).includes('util-linux');

  describe.runIf(canHaveTerminal)('on a terminal', () => {
    const runOnTerminal = async (test: Test, env: NodeJS.ProcessEnv): Promise<Outcome> => {
      const directory = await temporaryDirectory(test);
      const command = `stty cols 80 rows 24; '${process.execPath}' '${builtDemo(program)}' --seconds 1 --data '${directory}'`;
      return start(test, 'script', ['--quiet', '--return', '--command', command, '/dev/null'], directory, { ...process.env, TERM: 'xterm', ...env }).ended;
    };

    it('draws in place, and gives the terminal back as it was', async (test) => {
      const { code, stdout } = await runOnTerminal(test, { NO_COLOR: '' });
      const [entered, left] = [stdout.indexOf(`${escape}?1049h${escape}?25l`), stdout.indexOf(`${escape}?25h${escape}?1049l`)];
      expect(entered).toBeGreaterThan(0);
      expect(left).toBeGreaterThan(entered);
      const frames = stdout.slice(entered, left).split(`${escape}H`).slice(1);
      expect(frames.length).toBeGreaterThan(2);
      expect(frames.at(-1)).toContain(`${escape}2mcpu `);
      expect(frames.at(-1)).toMatch(/cpu .* \d+\.\d %.*[▁-█]/);
      expect(stdout.slice(left)).toContain('Everything is saved.');
      expect(code).toBe(0);
    });

    it('respects NO_COLOR', async (test) => {
      const { stdout } = await runOnTerminal(test, { NO_COLOR: '1' });
      expect(stdout).toContain(`${escape}?1049h`);
      expect(stdout.split(escape).filter((part) => /^\d+m/.test(part))).toEqual([]);
    });
  });
});
