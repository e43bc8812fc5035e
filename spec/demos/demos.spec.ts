import { chmod, readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { builtDemo, runDemo, start, temporaryDirectory } from './run-demo.ts';

const sources = fileURLToPath(new URL('../../demos/', import.meta.url));

/** What each demo must have printed, beside its checks. */
const demos: Readonly<Record<string, readonly RegExp[]>> = {
  'quick-start.js': [/^ {2}\| "theme":"light"/m, /✓ everything is there again/],
  'live-changes.js': [/changes\$ {2}1: set kitchen\n.*get\$ {6}kitchen is at 20°/, /✓ a change of one of their keys reaches one of them/],
  'configuration.js': [/ValidationError: .*"server".*port/, /CorruptDataError: .*"logLevel"/, /✓ it is left in the file as it is/],
  'hot-configuration.js': [/^ {2}← greeting is "Good morning", \d{1,3} ms later \(remote\)$/m, /✓ the service has moved there/, /! …\/service\.json is damaged at byte \d+/, /! .*"logLevel".*expected one of/, /^ {4}service: GET \//m],
  'high-frequency.js': [/10,000 metrics/, /batches \(commits\) +\d/, /One write each: .* [\d,]+ times as long/],
  'flaky-disk.js': [/! attempt 1 of 50: .*database is locked.*again in \d+ ms/, /! .*no more attempts for now/, /✓ with the directory back, `flush` saves everything/],
  'undo-redo.js': [/✓ undo the whole transaction red circle/],
  'custom-provider.js': [/(\d{2,}) of \1 tests passed/, /! attempt 1 of 100/, /✓ another session reads from the server exactly what was acknowledged/],
  'session-cache.js': [/\d s ann: in storage +\| bob: in storage/, /bob is out: his session expired/, /ann: expired +\| bob: expired +\| cid: in memory/],
  'api-cache.js': [/✓ they cost one request/, /asked 304 times \| requests 51 \| in memory 10 \| in storage 50/, /✓ it has sent no request/],
  'graceful-end.js': [/^ {2}(\d+) orders were taken, \d+ of them were on disk when SIGTERM was sent\n[^]*it found \1 orders/m, /✓ it ended by the signal/, /✓ and each is what it was/],
  'two-processes.js': [/^ {4}milk: two bottles\n[^]*^ {40}← milk: two bottles {2}\(\d+ ms\)$/m, /^ {2}← eggs: six/m, /✓ in the end they agree: (pizza|pasta)/, /✓ ann got \d and bob \d: each errand has exactly one winner/],
  'http-service.js': [/✓ all know her at once/, /^ {4}p2 is killed by kill -9/m, /^ {2}p[123] █+ \d+$/m, /✓ every job is done, and by one/, /✓ each has counted its visits to the last: \d+ and \d+/],
  'move-to-postgres.js': [/move: StoreLockedError: …\/sessions\.json is open/, /✓ PostgreSQL has all of it or nothing/, /move: 10000 entries of "sessions" are in PostgreSQL/, /✓ each ends at the very millisecond at which it would have ended/],
};

describe('the demos', () => {
  for (const [file, expected] of Object.entries(demos)) {
    it(`${file} shows what it claims, and leaves nothing behind`, async (test) => {
      const directory = await temporaryDirectory(test);
      await chmod(directory, 0o755); // where root runs PostgreSQL, another user must come through to its data
      const { ended } = start(test, process.execPath, [builtDemo(file)], directory, { ...process.env, TMPDIR: directory });
      const { code, stdout, stderr } = await ended;
      expect(stdout).not.toContain('✗');
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout.match(/^ {2}✓ /gm)?.length).toBeGreaterThanOrEqual(3);
      for (const part of expected) expect(stdout).toMatch(part);
      expect(await readdir(directory)).toEqual([]);
    });
  }

  it('are all here, short, and begin by saying what there is to see', async () => {
    const files = (await readdir(sources)).filter((file) => file.endsWith('.ts') && file !== 'run-all.ts');
    expect(files.map((file) => file.replace('.ts', '.js')).sort()).toEqual(Object.keys(demos).sort());
    for (const file of files) {
      const text = await readFile(`${sources}${file}`, 'utf8');
      expect(text, file).toMatch(/^\/\/ .*There is to see: /);
      expect(text.trimEnd().split('\n').length, file).toBeLessThanOrEqual(95);
    }
  });

  it('have a custom provider in under 60 lines', async () => {
    const text = await readFile(`${sources}http-log/provider.ts`, 'utf8');
    expect(text.trimEnd().split('\n').length).toBeLessThan(60);
    expect(text.match(/^import .* from '(.*)';$/gm)).toHaveLength(1); // nothing of it stands elsewhere
  });

  it('fail when a claim does not hold', async (test) => {
    const script = `import(${JSON.stringify(builtDemo('support/demo.js'))}).then(({ check }) => check('one is two', 1, 2));`;
    const { code, stdout } = await start(test, process.execPath, ['-e', script]).ended;
    expect(stdout).toContain('✗ one is two: expected 2, got 1');
    expect(code).toBe(1);
  });
});

describe('npm run demo', () => {
  it('tells in the end how each went', async (test) => {
    const { code, stdout } = await runDemo(test, 'run-all.js', ['undo-redo.js', 'quick-start.js']);
    expect(stdout).toMatch(/━━ Undo and redo ━+\n[^]*━━ Quick start ━+\n[^]*━━ In short/);
    expect(stdout).toMatch(/✓ Undo and redo +\d+\.\d s\n +✓ Quick start +\d+\.\d s\n\nEach shows what it claims\./);
    expect(code).toBe(0);
  });

  it('fails when one fails, and runs the others all the same', async (test) => {
    const { code, stdout } = await runDemo(test, 'run-all.js', ['missing.js', 'undo-redo.js']);
    expect(stdout).toMatch(/✗ missing\.js .*ended with code 1\n +✓ Undo and redo .*\n\n1 of 2 failed\./);
    expect(code).toBe(1);
  });

  it('knows every demo', async () => {
    const text = await readFile(`${sources}run-all.ts`, 'utf8');
    for (const file of [...Object.keys(demos), 'telemetry/main.js']) expect(text).toContain(`file: '${file}'`);
  });
});
