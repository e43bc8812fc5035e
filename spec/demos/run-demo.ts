import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestContext } from 'vitest';

/** How a program ended. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs; it is killed when the test is finished, if it has not ended by then. */
export interface Running {
  readonly process: ChildProcess;
  /** What it has printed so far. */
  readonly stdout: () => string;
  /** Resolves when what it prints has `part` in it; rejects when it ends without. */
  readonly printed: (part: RegExp) => Promise<void>;
  readonly ended: Promise<Outcome>;
}

/** The test that a helper cleans up after; given, not global, as tests run beside each other. */
export type Test = Pick<TestContext, 'onTestFinished'>;

/** Where `tsc -b demos` puts the demos. */
export const builtDemo = (file: string): string => fileURLToPath(new URL(`../../build/demos/${file}`, import.meta.url));

export function runDemo(test: Test, file: string, args: readonly string[] = [], directory?: string): Promise<Outcome> {
  return start(test, process.execPath, [builtDemo(file), ...args], directory).ended;
}

export function startDemo(test: Test, file: string, args: readonly string[] = []): Running {
  return start(test, process.execPath, [builtDemo(file), ...args]);
}

export function start({ onTestFinished }: Test, command: string, args: readonly string[], directory?: string, env: NodeJS.ProcessEnv = process.env): Running {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env, ...(directory !== undefined && { cwd: directory }) });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const printed = (part: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (part.test(stdout)) resolve();
      };
      child.stdout.on('data', look);
      look();
      ended.then(() => reject(new Error(`It ended without printing ${String(part)}:\n${stdout}${stderr}`)), reject);
    });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended.catch(() => undefined);
  });
  return { process: child, stdout: () => stdout, printed, ended };
}

/** A directory that is removed when the test is finished. */
export async function temporaryDirectory({ onTestFinished }: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-spec-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
