import { EventEmitter } from 'node:events';
import { watch } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it, vi, type Mock } from 'vitest';

import type { Database, Driver, Statement } from '../../../lib/providers/sqlite/driver.ts';
import { FileFeed } from '../../../lib/providers/sqlite/file-feed.ts';
import { FileSigns } from '../../../lib/providers/file-signs.ts';
import { checkOptions } from '../../../lib/providers/sqlite/options.ts';

class Directory extends EventEmitter {
  readonly close = vi.fn();
}

vi.mock('node:fs', async original => ({ ...(await original<object>()), watch: vi.fn() }));

const watching = watch as unknown as Mock;
const directories: Directory[] = [];

/** Something is written under this name. */
function write(name: string | null): void {
  for (const [index, call] of watching.mock.calls.entries()) {
    const [, , listener] = call as [string, object, (type: string, name: string | null) => void];
    if (directories[index]?.close.mock.calls.length === 0) listener('change', name);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  directories.length = 0;
  watching.mockReset().mockImplementation(() => {
    const directory = new Directory();
    directories.push(directory);
    return directory;
  });
});

afterEach(() => {
  expect(vi.getTimerCount(), 'the timers that are left').toBe(0);
  expect(directories.filter(({ close }) => close.mock.calls.length === 0), 'the watches that are left').toEqual([]);
  vi.useRealTimers();
});

function started(pollMs = 250): { readonly signs: FileSigns; readonly look: Mock<(isPoll: boolean) => void> } {
  const look = vi.fn<(isPoll: boolean) => void>();
  const signs = new FileSigns('/data', name => ['store.sqlite', 'store.sqlite-wal', 'store.sqlite-shm'].includes(name), look);
  signs.start(pollMs);
  return { signs, look };
}

describe('the signs of a commit', () => {
  it('are, at rest, looked for four times a second and not more', () => {
    const { signs, look } = started();
    vi.advanceTimersByTime(60_000);
    expect(look).toHaveBeenCalledTimes(240);
    expect(look.mock.calls.every(([isPoll]) => isPoll)).toBe(true);
    expect(watching).toHaveBeenCalledTimes(1);
    expect(watching.mock.calls[0]?.slice(0, 2)).toEqual(['/data', { persistent: false }]);
    signs.stop();
  });

  it('in the directory are looked for at once, and some times more', () => {
    const { signs, look } = started(60_000);
    const at: number[] = [];
    const start = Date.now();
    look.mockImplementation(() => at.push(Date.now() - start));
    write('store.sqlite-wal');
    vi.advanceTimersByTime(1_000);
    expect(at).toEqual([0, 1, 3, 7, 15, 31, 63, 127]);
    signs.stop();
  });

  it('are in the file itself, its log, its index, and where the system tells no name', () => {
    const { signs, look } = started(60_000);
    for (const name of ['other.sqlite', 'store.sqlite.backup', 'store.sqlite-journal.txt']) write(name);
    expect(look).not.toHaveBeenCalled();
    for (const name of ['store.sqlite', 'store.sqlite-wal', 'store.sqlite-shm', null]) {
      look.mockClear();
      write(name);
      expect(look).toHaveBeenCalled();
      vi.advanceTimersByTime(200);
    }
    signs.stop();
  });

  it('are not listened to for each of the thousand writes of a commit, but are again soon', () => {
    const { signs, look } = started(60_000);
    for (let ms = 0; ms < 300; ms++) {
      for (let count = 0; count < 100; count++) write('store.sqlite-wal');
      vi.advanceTimersByTime(1);
    }
    expect(watching.mock.calls.length).toBeLessThanOrEqual(101);
    expect(look.mock.calls.length).toBeLessThanOrEqual(400);
    const before = look.mock.calls.length;
    vi.advanceTimersByTime(10);
    write('store.sqlite-wal');
    expect(look.mock.calls.length).toBeGreaterThan(before);
    signs.stop();
  });

  it('are looked for now and then where nothing can be watched, and watched once that is possible', () => {
    watching.mockImplementationOnce(() => {
      throw Object.assign(new Error('System limit for number of file watchers reached'), { code: 'ENOSPC' });
    });
    const { signs, look } = started();
    vi.advanceTimersByTime(250);
    expect(look).toHaveBeenCalledTimes(1);
    expect(directories).toHaveLength(1);
    signs.stop();
  });

  it('are looked for still when a watch breaks', () => {
    const { signs, look } = started();
    directories[0]?.emit('error', new Error('EPERM'));
    expect(directories[0]?.close).toHaveBeenCalled();
    vi.advanceTimersByTime(500);
    expect(look).toHaveBeenCalledTimes(2);
    signs.stop();
  });

  it('are no longer looked for at the end, not even in the middle of a burst', () => {
    const { signs, look } = started();
    write('store.sqlite-wal');
    vi.advanceTimersByTime(5);
    signs.stop();
    look.mockClear();
    vi.advanceTimersByTime(10_000);
    expect(look).not.toHaveBeenCalled();
  });
});

describe('one look', () => {
  /** Reads nothing. */
  function* done(): Generator<undefined, boolean, undefined> {
    yield;
    return false;
  }

  /** A driver whose file changes when it is told to. */
  function fakeDriver(): { readonly driver: Driver; readonly commit: () => void; readonly counts: { looks: number; open: number }; fail: Error | undefined } {
    const state = { driver: undefined as unknown as Driver, counts: { looks: 0, open: 0 }, fail: undefined as Error | undefined, commit: (): void => { version++; } };
    let version = 1;
    const statement: Statement = {
      run: () => ({ changes: 0 }),
      get: () => {
        state.counts.looks++;
        if (state.fail !== undefined) throw state.fail;
        return version;
      },
      all: () => [],
      iterate: () => [][Symbol.iterator](),
      pluck: () => statement,
      raw: () => statement,
    };
    state.driver = class implements Database {
      readonly inTransaction = false;
      constructor() {
        state.counts.open++;
      }
      prepare(): Statement {
        return statement;
      }
      exec(): void {
        // nothing
      }
      pragma(): void {
        // nothing
      }
      close(): void {
        state.counts.open--;
      }
    };
    return state;
  }

  const file = '/nowhere/store.sqlite';
  const settings = checkOptions({ file });

  it('is one statement, and nothing is read where nothing was committed', async () => {
    const { driver, commit, counts } = fakeDriver();
    const feed = new FileFeed(driver, settings, file, () => undefined);
    let reads = 0;
    const listener = { pollMs: 250, read: () => { reads++; return done(); }, fail: vi.fn() };
    const leave = feed.join(listener);
    await vi.advanceTimersByTimeAsync(0);
    expect([reads, counts.looks]).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([reads, counts.looks]).toEqual([1, 241]);
    commit();
    await vi.advanceTimersByTimeAsync(250);
    expect([reads, counts.looks]).toEqual([2, 242]);
    await leave();
    expect(counts.open).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(counts.looks).toBe(242);
  });

  it('is one for many commits of this process in one turn, and one for all listeners', async () => {
    const { driver, commit, counts } = fakeDriver();
    const onEmpty = vi.fn();
    const feed = new FileFeed(driver, settings, file, onEmpty);
    const read = vi.fn(done);
    const leaves = [1_000, 50, 200].map(pollMs => feed.join({ pollMs, read, fail: vi.fn() }));
    await vi.advanceTimersByTimeAsync(0);
    expect([read.mock.calls.length, counts.open]).toEqual([3, 1]);
    counts.looks = 0;
    for (let index = 0; index < 10; index++) {
      commit();
      feed.committed();
    }
    await vi.advanceTimersByTimeAsync(1);
    expect([counts.looks, read.mock.calls.length]).toEqual([1, 6]);
    counts.looks = 0;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(counts.looks, 'as often as the most hasty wants').toBe(20);
    for (const leave of leaves) {
      expect(onEmpty).not.toHaveBeenCalled();
      await leave();
    }
    expect(onEmpty).toHaveBeenCalledTimes(1);
  });

  it('that a lock spoils is made again; what lasts, or is worse, fails', async () => {
    const fake = fakeDriver();
    const feed = new FileFeed(fake.driver, settings, file, () => undefined);
    const read = vi.fn(done);
    const fail = vi.fn(() => void leave());
    let leave = feed.join({ pollMs: 250, read, fail });
    fake.fail = Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY_RECOVERY' });
    await vi.advanceTimersByTimeAsync(2_000);
    expect([read.mock.calls.length, fail.mock.calls.length]).toEqual([0, 0]);
    expect(fake.counts.looks).toBeLessThan(60);
    fake.fail = undefined;
    await vi.advanceTimersByTimeAsync(250);
    expect(read).toHaveBeenCalledTimes(1);
    fake.fail = Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });
    await vi.advanceTimersByTimeAsync(6_000);
    expect(fail.mock.calls).toEqual([[fake.fail]]);
    leave = feed.join({ pollMs: 250, read, fail });
    fake.fail = Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' });
    await vi.advanceTimersByTimeAsync(0);
    expect(fail).toHaveBeenCalledTimes(2);
    expect(fake.counts.open).toBe(0);
  });

  it('that fails for one listener does not for the others', async () => {
    const { driver } = fakeDriver();
    const feed = new FileFeed(driver, settings, file, () => undefined);
    const broken = { pollMs: 250, read: vi.fn((): Generator<undefined, boolean, undefined> => { throw new Error('no such table'); }), fail: vi.fn() };
    const sound = { pollMs: 250, read: vi.fn(done), fail: vi.fn() };
    const leaves = [broken, sound].map(listener => feed.join(listener));
    await vi.advanceTimersByTimeAsync(0);
    expect([broken.fail.mock.calls.length, sound.fail.mock.calls.length, sound.read.mock.calls.length]).toEqual([1, 0, 1]);
    for (const leave of leaves) await leave();
  });
});
