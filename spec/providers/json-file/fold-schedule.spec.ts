import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { FoldSchedule, type FoldState } from '../../../lib/providers/json-file/fold-schedule.ts';

const kibibyte = 1 << 10;

/** Commits each 100 ms for so long. @returns after how many milliseconds it folded. */
async function foldsOf(state: Partial<FoldState>, forMs: number): Promise<readonly number[]> {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const startedAt = performance.now();
  const folds: number[] = [];
  const fold = (): Promise<void> => {
    folds.push(performance.now() - startedAt);
    return Promise.resolve();
  };
  const schedule = new FoldSchedule(4 * kibibyte * kibibyte, () => ({ logBytes: kibibyte, logCount: 1, jsonBytes: kibibyte, isBlocked: false, ...state }), fold, error => {
    throw error;
  });
  while (performance.now() - startedAt < forMs) {
    schedule.committed();
    await vi.advanceTimersByTimeAsync(100);
  }
  await vi.advanceTimersByTimeAsync(2_000);
  await schedule.stop();
  return folds;
}

describe('a busy store', () => {
  it('folds a small file each five seconds, so that people see it as it is', async () => {
    expect(await foldsOf({}, 12_000)).toEqual([5_000, 10_100, 11_900 + 1_000]);
  });

  it('does not fold once more what was folded just now, when it comes to rest', async () => {
    expect(await foldsOf({}, 5_100)).toEqual([5_000]);
  });

  it('leaves a large file alone, until it comes to rest with logs of half the size', async () => {
    expect(await foldsOf({ jsonBytes: 8 << 20 }, 12_000)).toEqual([]);
    expect(await foldsOf({ jsonBytes: 2 << 20, logBytes: (1 << 20) + 1 }, 12_000)).toEqual([11_900 + 1_000]);
  });

  it('folds nothing behind a file that is in the way', async () => {
    expect(await foldsOf({ isBlocked: true }, 16_000)).toEqual([]);
  });
});
