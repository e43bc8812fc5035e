import { describe, expect, it, onTestFinished, vi } from 'vitest';

import type { Connections } from '../../../lib/providers/postgres/connections.ts';
import { Doorbell } from '../../../lib/providers/postgres/doorbell.ts';
import type { Use } from '../../../lib/providers/postgres/lease.ts';
import { useVirtualTime } from '../../support/virtual-time.ts';

/** What becomes of the ring of this count, the first is 1. */
type Answer = (count: number, signal: AbortSignal) => Promise<void>;

/** Connections of a server that answers as a test has it. */
class Rings implements Pick<Connections, 'use'> {
  readonly signals: AbortSignal[] = [];
  readonly #answer: Answer;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  use<T>(_: unknown, { signal }: Use): Promise<T> {
    if (signal === undefined) throw new Error('A ring is not for ever.');
    this.signals.push(signal);
    return this.#answer(this.signals.length, signal) as Promise<T>;
  }

  get aborted(): readonly boolean[] {
    return this.signals.map((signal) => signal.aborted);
  }

  /** When so many rings have begun. The pace between them is of real time. */
  async reaches(count: number): Promise<void> {
    while (this.signals.length < count) await new Promise((resolve) => setImmediate(resolve));
  }
}

function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))));
}

function virtualTime(): void {
  useVirtualTime();
  onTestFinished(() => void vi.useRealTimers());
}

describe('a ring', () => {
  it('has a signal of its own, that nothing reaches when it is over: one for all would gather something of each', async () => {
    virtualTime();
    const rings = new Rings((count, signal) => (count < 3 ? Promise.resolve() : givenUp(signal)));
    const doorbell = new Doorbell(rings);
    for (const count of [1, 2, 3]) {
      doorbell.ring('x 1');
      await rings.reaches(count);
    }
    const closed = doorbell.close();
    await vi.advanceTimersByTimeAsync(2_000);
    await closed;
    expect(rings.aborted).toEqual([false, false, true]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is given up when there is no answer in time, and the next one rings', async () => {
    virtualTime();
    const rings = new Rings((count, signal) => (count > 1 ? Promise.resolve() : givenUp(signal)));
    const doorbell = new Doorbell(rings);
    doorbell.ring('x 1');
    await vi.advanceTimersByTimeAsync(4_999);
    expect(rings.aborted).toEqual([false]);
    doorbell.ring('x 2');
    await vi.advanceTimersByTimeAsync(1);
    expect(rings.aborted).toEqual([true]);
    await rings.reaches(2);
    await doorbell.close();
  });

  it.each<[string, Answer]>([
    ['is lost', () => Promise.reject(new Error('lost'))],
    ['throws', () => { throw new RangeError('Set maximum size exceeded'); }],
  ])('that %s is nobody’s concern, and the next one rings', async (_, answer) => {
    const rings = new Rings(answer);
    const doorbell = new Doorbell(rings);
    for (const count of [1, 2, 3]) {
      doorbell.ring('x 1');
      await rings.reaches(count);
    }
    await doorbell.close();
  });

  it('does not begin when the one before was given up by closing', async () => {
    virtualTime();
    const rings = new Rings((_, signal) => givenUp(signal));
    const doorbell = new Doorbell(rings);
    doorbell.ring('x 1');
    await rings.reaches(1);
    doorbell.ring('x 2');
    const closed = doorbell.close();
    await vi.advanceTimersByTimeAsync(2_000);
    await closed;
    expect(rings.signals).toHaveLength(1);
  });
});
