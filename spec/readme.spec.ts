import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { EmbeddedServer } from '../demos/support/embedded-server.ts';

const root = join(import.meta.dirname, '..');
const readme = await readFile(join(root, 'README.md'), 'utf8');
const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code ?? '');
const titles = snippets.map((code) => `${snippets.indexOf(code) + 1}: ${code.split('\n').find((line) => line.includes('const ')) ?? ''}`);

describe('each snippet of the README', () => {
  // Inside the project, so that the package is found by its own name.
  const folder = join(root, 'build', 'readme');
  const config = join(folder, 'vitest.config.mjs');
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  let workingDirectory: string;
  let server: EmbeddedServer;

  beforeAll(async () => {
    server = await EmbeddedServer.start(); // what the snippets find by DATABASE_URL
    await mkdir(folder, { recursive: true });
    workingDirectory = await mkdtemp(join(tmpdir(), 'rx-persistify-readme-'));
    await writeFile(config, "export default { test: { include: ['snippet-*.mjs'] } };");
    await Promise.all(snippets.map((code, index) => writeFile(join(folder, `snippet-${index}.ts`), code)));
  });

  afterAll(async () => {
    await Promise.all([rm(workingDirectory, { recursive: true }), rm(folder, { recursive: true }), server.remove()]);
  });

  it('has the right types', () => {
    const program = ts.createProgram(
      snippets.map((_, index) => join(folder, `snippet-${index}.ts`)),
      { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2023, strict: true, noEmit: true, skipLibCheck: true, lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'], types: ['node'] },
    );
    const complaints = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
    expect(complaints).toEqual([]);
  });

  it.each(titles.map((title, index) => [title, index] as const))('runs: %s', async (_title, index) => {
    const file = join(folder, `snippet-${index}.mjs`);
    const { outputText } = ts.transpileModule(snippets[index] ?? '', { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 } });
    const isTest = outputText.includes("from 'vitest'");
    await writeFile(file, outputText);
    // A page's storage, which Node has not.
    const browser = outputText.includes('rx-persistify/indexed-db') ? ['--import', import.meta.resolve('fake-indexeddb/auto')] : [];
    const program = isTest ? [vitest, 'run', '--root', folder, '--config', config, file] : [...browser, file];
    const { stderr } = await promisify(execFile)(process.execPath, program, { cwd: workingDirectory, env: { ...process.env, DATABASE_URL: server.url() } });
    expect(stderr).toBe('');
  });

  it('that is a provider keeps the contract that it states', async () => {
    const code = snippets.find((snippet) => snippet.includes(': Provider => ')) ?? '';
    const [provider = '', use = ''] = code.split(/^(?=const store = )/m);
    const [, name = ''] = /^const (\w+) = .*: Provider => /m.exec(provider) ?? [];
    expect(use).toContain(`persistify(${name}(`);
    const file = join(folder, 'conformance.mjs');
    const { outputText } = ts.transpileModule(`${provider}\n${conformanceOf(name)}`, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 } });
    await writeFile(file, outputText);
    const { stdout } = await promisify(execFile)(process.execPath, ['--test-reporter=tap', file], { cwd: workingDirectory, maxBuffer: 2 ** 26 }).catch((error: unknown) => ({ stdout: stdoutOf(error) }));
    expect([...stdout.matchAll(/^ {8}not ok .*/gm)].map(([line]) => line.trim())).toEqual([]);
    expect(Number(/^# pass (\d+)/m.exec(stdout)?.[1])).toBeGreaterThan(50);
  });
});

/** A program's end that has Node's own runner try the provider of that name, which it has. */
function conformanceOf(name: string): string {
  return `
    import { mkdtemp, rm } from 'node:fs/promises';
    import { join } from 'node:path';
    import { describe, it } from 'node:test';
    import { providerConformance } from 'rx-persistify/conformance';

    providerConformance({
      name: '${name}',
      runner: { describe, it },
      capabilities: { shared: false, durability: 'process', persistent: true, read: false, watch: false },
      createStorage: async () => {
        const directory = await mkdtemp(join(process.cwd(), 'conformance-'));
        return { provider: () => ${name}(directory), remove: () => rm(directory, { recursive: true }) };
      },
    });`;
}

/** What a program printed that ended in failure. */
function stdoutOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'stdout' in error ? String(error.stdout) : String(error);
}
