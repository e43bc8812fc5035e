import fs from 'node:fs';
import promises, { open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { onTestFinished } from 'vitest';

export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export type SyncCall = 'writeSync' | 'fdatasyncSync';

/**
 * Makes a synchronous call of node:fs fail, once or as often as it is said, as a disk does that cannot be had in a test.
 * @param before done with the call's arguments before it fails, such as half the write.
 */
export function failSync(name: SyncCall, code: string, times = 1, before: (...args: readonly unknown[]) => void = () => undefined): void {
  let left = times;
  replaceSync(name, original => (...args) => {
    if (left <= 0) return original(...args);
    left -= 1;
    before(...args);
    throw systemError(code);
  });
}

type Call = (...args: readonly unknown[]) => unknown;

/** Puts another function in the place of one of node:fs, for everyone, until the test is over. */
export function replaceSync(name: SyncCall, replacement: (original: Call) => Call): void {
  const original = fs[name] as Call;
  const put = (call: Call): void => {
    Object.assign(fs, { [name]: call });
    syncBuiltinESMExports();
  };
  put(replacement(original));
  onTestFinished(() => put(original));
}

/** Does something right after the asynchronous `stat` of `path` that is the `nth` from now on, before who asked has the answer. */
export function afterStat(path: string, nth: number, action: () => void): void {
  let left = nth;
  replaceAsync('stat', original => async (...args) => {
    const stats = await original(...args);
    if (args[0] === path && --left === 0) action();
    return stats;
  });
}

/** Does something right after each file is unlinked, before who asked goes on. */
export function afterUnlink(action: (path: string) => Promise<void> | void): void {
  replaceAsync('unlink', original => async (...args) => {
    await original(...args);
    await action(String(args[0]));
  });
}

/** Makes the opening of files fail where `when` says so; the result ends it. */
export function failOpens(code: string, when: (path: string) => boolean): () => void {
  return replaceAsync('open', original => (...args) => (when(String(args[0])) ? Promise.reject(systemError(code)) : original(...args)));
}

/** The same of unlinking. */
export function failUnlinks(code: string, when: (path: string) => boolean): () => void {
  return replaceAsync('unlink', original => (...args) => (when(String(args[0])) ? Promise.reject(systemError(code)) : original(...args)));
}

/** The same of every further name that a file is to get. */
export function failLinks(code: string): () => void {
  return replaceAsync('link', () => () => Promise.reject(systemError(code)));
}

/** The same of every asynchronous renaming. */
export function failRenames(code: string): () => void {
  return replaceAsync('rename', () => () => Promise.reject(systemError(code)));
}

type AsyncCall = (...args: readonly unknown[]) => Promise<unknown>;

/** Puts another function in the place of one of node:fs/promises, for everyone, until the test is over or the result is called. */
function replaceAsync(name: 'link' | 'open' | 'rename' | 'stat' | 'unlink', replacement: (original: AsyncCall) => AsyncCall): () => void {
  const original = promises[name] as AsyncCall;
  const put = (call: AsyncCall): void => {
    Object.assign(promises, { [name]: call });
    syncBuiltinESMExports();
  };
  put(replacement(original));
  const heal = (): void => put(original);
  onTestFinished(heal);
  return heal;
}

type HandleCall = 'write' | 'sync' | 'datasync';

/** Makes a method of every FileHandle fail where `when` says so; `heal` ends it. */
export function failHandles(name: HandleCall, code: string, when: (call: number) => boolean): Promise<() => void> {
  let call = 0;
  return replaceOnHandles(name, (original) => (++call, when(call) ? Promise.reject(systemError(code)) : original()));
}

/** Does something right after each `sync` of any file. */
export async function afterSync(action: () => void): Promise<void> {
  await replaceOnHandles('sync', async (original) => {
    await original();
    action();
  });
}

/** Puts `replacement` in the place of a method of every FileHandle, until the test is over or the result is called. */
async function replaceOnHandles(name: HandleCall, replacement: (original: () => Promise<unknown>) => Promise<unknown>): Promise<() => void> {
  const sample = await open(tmpdir(), 'r');
  const prototype = Object.getPrototypeOf(sample) as Record<HandleCall, (...args: unknown[]) => Promise<unknown>>;
  await sample.close();
  const original = prototype[name];
  prototype[name] = function (this: unknown, ...args: unknown[]) {
    return replacement(() => original.apply(this, args));
  };
  const heal = (): void => {
    prototype[name] = original;
  };
  onTestFinished(heal);
  return heal;
}
