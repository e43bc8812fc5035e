import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

import { database } from './models.ts';
import { testsOf } from './tests-of.ts';

it('runs under node:test too, every test of it', async () => {
  const { code, output } = await nodeTest('memory.test.mjs');
  expect(output).toContain(`# tests ${testsOf(database).size}`);
  expect(output).toContain('# fail 0');
  expect(code).toBe(0);
});

it('turns red under node:test what it turns red elsewhere, and says what was expected', async () => {
  const { code, output } = await nodeTest('forgetful.test.mjs');
  expect(output).toMatch(/not ok .* shows the commits of one session to the other, of one provider/);
  expect(output).toContain('expected the key "key" with "1", but it is absent');
  expect(code).toBe(1);
});

function nodeTest(program: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const path = fileURLToPath(new URL(`node-test/${program}`, import.meta.url));
  return new Promise(resolve => {
    const child = execFile(process.execPath, ['--test', '--test-reporter=tap', path], { maxBuffer: 2 ** 26 }, (_, output) =>
      resolve({ code: child.exitCode, output }),
    );
  });
}
