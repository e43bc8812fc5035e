import { randomUUID } from 'node:crypto';
import { cpSync, existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { PersistifyError } from 'rx-persistify';
import { jsonFile, type JsonFileOptions } from 'rx-persistify/json-file';
import { onTestFinished, vi } from 'vitest';

import type { Batch, BatchResult, Mutation } from '../../../lib/mutation.ts';
import type { Entry, ProviderSession } from '../../../lib/providers/provider.ts';

/** In memory, where there is such a place: for tests that open hundreds of times and have nothing to learn from a disk. */
export const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A directory that is gone after the test. */
export async function scratch(parent = tmpdir()): Promise<string> {
  const directory = await mkdtemp(join(parent, 'json-file-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** What is on the disk at this moment, as a killed process would leave it: all but its lock, which would be a dead one's. */
export async function stateOf(directory: string, parent?: string): Promise<string> {
  const copy = await scratch(parent);
  await cp(directory, copy, { recursive: true, preserveTimestamps: true, filter: path => !path.endsWith('.lock') });
  return copy;
}

/** The same, taken in one go, into a directory that is there. */
export function stateNow(directory: string, into: string): string {
  cpSync(directory, into, { recursive: true, preserveTimestamps: true, filter: path => !path.endsWith('.lock') });
  return into;
}

/** A copy is not taken in a moment as a crash is: one during which files came or went is none. */
export async function consistentState(directory: string): Promise<string> {
  for (;;) {
    const before = await listing(directory);
    const state = await stateOf(directory).catch(() => undefined);
    if (state !== undefined && before === (await listing(directory))) return state;
  }
}

async function listing(directory: string): Promise<string> {
  const names = (await readdir(directory)).filter(name => !name.endsWith('.tmp')).sort();
  const json = await stat(join(directory, 'prefs.json')).catch(() => undefined);
  return `${names.join()} ${json?.ino ?? 0}`;
}

export type Options = Partial<Omit<JsonFileOptions, 'logBytes'>> & {
  /** @default a mebibyte; `usual` is the provider's own default */
  readonly logBytes?: number | 'usual';
  readonly name?: string;
  readonly writer?: string;
};

export const mebibyte = 1 << 20;

/** An open store, closed after the test; it folds early, so that it folds at all. */
export class Store {
  readonly directory: string;
  readonly session: ProviderSession;
  readonly reports: readonly PersistifyError[];
  readonly writer: string;
  #number = 0;

  constructor(directory: string, session: ProviderSession, reports: readonly PersistifyError[], writer: string) {
    this.directory = directory;
    this.session = session;
    this.reports = reports;
    this.writer = writer;
  }

  static async open(directory: string, { name = 'prefs', writer = randomUUID(), logBytes = mebibyte, ...options }: Options = {}): Promise<Store> {
    const reports: PersistifyError[] = [];
    const session = await jsonFile({ directory, ...(logBytes !== 'usual' && { logBytes }), ...options }).open(name, { writer, report: error => reports.push(error) });
    onTestFinished(() => session.close());
    return new Store(directory, session, reports, writer);
  }

  batch(...mutations: readonly Mutation[]): Batch {
    this.#number += 1;
    return { writer: this.writer, number: this.#number, mutations };
  }

  send(batch: Batch, signal: AbortSignal = new AbortController().signal): Promise<BatchResult> {
    return this.session.write(batch, { signal });
  }

  write(...mutations: readonly Mutation[]): Promise<BatchResult> {
    return this.send(this.batch(...mutations));
  }

  set(key: string, json: string, options: { expiresAt?: number; expect?: number } = {}): Promise<BatchResult> {
    return this.write({ type: 'set', key, json, ...options });
  }

  async entries(): Promise<readonly Entry[]> {
    const all: Entry[] = [];
    for await (const { entries } of this.session.load()) all.push(...entries);
    return all;
  }

  async texts(): Promise<Readonly<Record<string, string>>> {
    return Object.fromEntries((await this.entries()).map(({ key, json }) => [key, json]));
  }

  close(): Promise<void> {
    return this.session.close();
  }
}

/** What a store in this directory holds, by opening and closing it. */
export async function textsIn(directory: string, options: Options = {}): Promise<Readonly<Record<string, string>>> {
  const store = await Store.open(directory, options);
  const texts = await store.texts();
  await store.close();
  return texts;
}

export async function filesIn(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).sort();
}

export function textOf(directory: string, name = 'prefs.json'): Promise<string> {
  return readFile(join(directory, name), 'utf8');
}

/** Waits until `.json` alone is there, beside the lock, and what a test has put there itself. */
export async function foldedIn(directory: string, ...others: readonly string[]): Promise<void> {
  await vi.waitUntil(async () => (await filesIn(directory)).join() === [...others, 'prefs.json', 'prefs.json.lock'].join(), { timeout: 10_000, interval: 10 });
}
