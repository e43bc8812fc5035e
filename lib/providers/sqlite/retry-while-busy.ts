import { setTimeout as delay } from 'node:timers/promises';

import { isBusy } from './failures.ts';

/** Tries again for some seconds while another connection holds the lock, as when several processes open a new file at once. */
export async function retryWhileBusy<T>(work: () => Promise<T>, forMs: number): Promise<T> {
  const end = performance.now() + forMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 200)) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) throw error;
    }
    await delay(pauseMs * (0.5 + Math.random() / 2));
  }
}
