import { describe, expect, it, vi } from 'vitest';

import { macrotask$ } from '../../lib/streams/macrotask.ts';

/** What runs in which order, from the call of this function on. */
function ordered(): Promise<string[]> {
  const order: string[] = [];
  setImmediate(() => order.push('macrotask before'));
  const told = new Promise<string[]>((resolve) => {
    macrotask$.subscribe({ next: (value) => order.push(`told ${String(value)}`), complete: () => resolve(order) });
  });
  queueMicrotask(() => order.push('microtask'));
  order.push('synchronous');
  return told;
}

describe('macrotask$', () => {
  it('emits once and completes, after the microtasks and what was due before', async () => {
    expect(await ordered()).toEqual(['synchronous', 'microtask', 'macrotask before', 'told undefined']);
  });

  it('begins anew for each subscriber', async () => {
    await ordered();
    expect(await ordered()).toHaveLength(4);
  });

  it('emits nothing once it is unsubscribed from, and leaves nothing that would hold a process', async () => {
    const clear = vi.spyOn(globalThis, 'clearImmediate');
    let count = 0;
    macrotask$.subscribe(() => count++).unsubscribe();
    expect(clear).toHaveBeenCalledOnce();
    await new Promise((resolve) => setImmediate(resolve));
    expect(count).toBe(0);
  });

  describe('where there is no setImmediate', () => {
    it('emits once and completes, after the microtasks', async () => {
      const order: string[] = [];
      vi.stubGlobal('setImmediate', undefined);
      const told = new Promise<void>((resolve) => void macrotask$.subscribe({ next: () => order.push('told'), complete: resolve }));
      vi.unstubAllGlobals();
      queueMicrotask(() => order.push('microtask'));
      await told;
      expect(order).toEqual(['microtask', 'told']);
    });

    it('emits nothing once it is unsubscribed from', async () => {
      let count = 0;
      vi.stubGlobal('setImmediate', undefined);
      macrotask$.subscribe(() => count++).unsubscribe();
      const told = new Promise<void>((resolve) => void macrotask$.subscribe({ complete: resolve }));
      vi.unstubAllGlobals();
      await told;
      expect(count).toBe(0);
    });

    it('closes its port, which would hold a process of Node', async () => {
      vi.stubGlobal('setImmediate', undefined);
      const close = vi.spyOn(MessagePort.prototype, 'close');
      await new Promise<void>((resolve) => void macrotask$.subscribe({ complete: resolve }));
      macrotask$.subscribe().unsubscribe();
      vi.unstubAllGlobals();
      expect(close).toHaveBeenCalledTimes(2);
    });
  });
});
