import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { persistify, type Provider } from 'rx-persistify';

import { start, temporaryDirectory, type Outcome, type Running, type Test } from '../demos/run-demo.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What each program has: the built package, its directory, and providers with faults. */
const prelude = `
import { memory, persistify, ProviderError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { flushOnExit } from 'rx-persistify/node';
import { sqlite } from 'rx-persistify/sqlite';
const directory = process.argv[1];
const providers = {
  'memory': () => memory(),
  'json-file': () => jsonFile({ directory }),
  'sqlite in a worker': () => sqlite({ file: directory + '/data.sqlite' }),
  'sqlite on the main thread': () => sqlite({ file: directory + '/data.sqlite', worker: false }),
};
const seldom = { size: 1_000_000, intervalMs: 60_000 };
const never = new Promise(() => undefined);
/** Memory, but for what \`change\` gives. */
const faulty = (change) => {
  const inner = memory();
  return {
    name: 'faulty',
    async open(name, context) {
      const session = await inner.open(name, context);
      const { shared, ...capabilities } = session.capabilities;
      return { capabilities: { ...capabilities, shared: false }, load: () => session.load(), write: (batch, context) => session.write(batch, context), close: () => session.close(), ...change(session) };
    },
  };
};
const hanging = () => faulty(() => ({ write: () => never }));
const broken = () => faulty(() => ({ write: () => Promise.reject(new ProviderError('the test breaks it', { kind: 'halt' })) }));
/** As a program that has work to do. */
const goOn = () => setInterval(() => undefined, 1_000);
/** What a parent waits for before it sends a signal. */
const ready = () => console.log('ready');
`;

export const providerNames = ['memory', 'json-file', 'sqlite in a worker', 'sqlite on the main thread'] as const;

/** A process of its own that runs `code` with the built package. */
export function startProgram(test: Test, code: string, directory = ''): Running {
  return start(test, process.execPath, programArguments(code, directory), root);
}

/** As the first process of a new namespace, as in a container. */
export function startAsFirstProcess(test: Test, code: string): Running {
  return start(test, 'unshare', ['--pid', '--fork', '--kill-child', process.execPath, ...programArguments(code, '')], root);
}

function programArguments(code: string, directory: string): string[] {
  return ['--input-type=module', '--eval', prelude + code, directory];
}

/** Where a second copy of the built package is, as where a library has brought its own. */
export async function secondCopy(test: Test): Promise<string> {
  const directory = await temporaryDirectory(test);
  await cp(join(root, 'dist'), join(directory, 'dist'), { recursive: true });
  await cp(join(root, 'package.json'), join(directory, 'package.json'));
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'), 'junction');
  return directory;
}

/** How a program ends that says nothing of failures. */
export const endedBy = (signal: NodeJS.Signals): Partial<Outcome> => ({ code: null, signal, stderr: '' });

/** What a program kept in the store "a". */
export async function stored(provider: Provider): Promise<Record<string, unknown>> {
  const store = await persistify(provider).open('a');
  const entries = Object.fromEntries(store);
  await store.close();
  return entries;
}

/** For a title, so that what is skipped says why. */
export function because(reason: string | undefined): string {
  return reason === undefined ? '' : ` (skipped: ${reason})`;
}

/** A directory in memory that holds 1 MB, and is gone when the test is finished. */
export function smallDisk({ onTestFinished }: Test): string {
  const disk = mountSmallDisk();
  onTestFinished(() => unmount(disk));
  return disk;
}

/** Why there can be no small disk here, or `undefined`. */
export function noSmallDisk(): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  try {
    unmount(mountSmallDisk());
    return undefined;
  } catch (error) {
    return `mounting is refused: ${String(error)}`;
  }
}

/** Why there can be no new namespace of processes here, or `undefined`. */
export function noNamespaces(): string | undefined {
  try {
    execFileSync('unshare', ['--pid', '--fork', 'true'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `unshare is refused: ${String(error)}`;
  }
}

function mountSmallDisk(): string {
  const disk = mkdtempSync(join(tmpdir(), 'rx-persistify-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'pipe' });
  } catch (error) {
    rmSync(disk, { recursive: true });
    throw error;
  }
  return disk;
}

function unmount(disk: string): void {
  execFileSync('umount', [disk], { stdio: 'pipe' });
  rmSync(disk, { recursive: true });
}
