import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { asyncScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { quietTimer } from '../../lib/streams/quiet-timer.ts';
import { marbles } from './marbles.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('quietTimer', () => {
  it(
    'emits 0 after its time and completes, in the time of the scheduler that it is given',
    marbles((at) => {
      at.expectObservable(quietTimer(5, at.timers)).toBe('-----(0|)', { 0: 0 });
      at.expectObservable(quietTimer(60_000, at.timers), '---!').toBe('---');
      const timers: number[] = [];
      at.hot('--t-t--t').subscribe(() => timers.push(at.timers.open));
      at.flush();
      expect(timers).toEqual([2, 1, 0]);
    }),
  );

  describe('on the default scheduler', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });

    afterEach(() => {
      vi.useRealTimers();
    });

    it('emits 0 after its time and completes', () => {
      const told: unknown[] = [];
      quietTimer(5, asyncScheduler).subscribe({ next: (value) => told.push(value), complete: () => told.push('complete') });
      vi.advanceTimersByTime(4);
      expect(told).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(told).toEqual([0, 'complete']);
    });

    it('emits nothing, and leaves no timer, once it is unsubscribed from', () => {
      quietTimer(5, asyncScheduler).subscribe().unsubscribe();
      expect(vi.getTimerCount()).toBe(0);
    });

    it('works with timers that are numbers, as those of a browser are', () => {
      let due: (() => void) | undefined;
      vi.stubGlobal('setTimeout', (callback: () => void) => {
        due = callback;
        return 7;
      });
      const told: unknown[] = [];
      quietTimer(5, asyncScheduler).subscribe((value) => told.push(value));
      due?.();
      expect(told).toEqual([0]);
    });
  });

  describe('in a process of its own', () => {
    /** Runs `code` beside the module, and tells how the process ended and what it wrote. */
    async function run(code: string): Promise<{ readonly status: number | null; readonly stdout: string }> {
      const contents = `import { quietTimer } from './lib/streams/quiet-timer.ts'; import { asyncScheduler, timer } from 'rxjs'; ${code}`;
      const { outputFiles } = await build({ stdin: { contents, resolveDir: root }, bundle: true, write: false, format: 'esm', platform: 'node' });
      const { status, stdout } = spawnSync(process.execPath, ['--input-type=module'], { input: outputFiles[0]?.text ?? '', encoding: 'utf8', timeout: 5_000 });
      return { status, stdout };
    }

    it('does not keep it alive, as a timer of RxJS does', async () => {
      expect(await run("quietTimer(60_000, asyncScheduler).subscribe(() => console.log('told'));")).toEqual({ status: 0, stdout: '' });
      expect(await run("timer(50).subscribe(() => console.log('told'));")).toEqual({ status: 0, stdout: 'told\n' });
    });

    it('is heard while something else keeps it alive', async () => {
      expect(await run("quietTimer(10, asyncScheduler).subscribe((value) => console.log('told', value)); timer(200).subscribe();")).toEqual({ status: 0, stdout: 'told 0\n' });
    });
  });
});
