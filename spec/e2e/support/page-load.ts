import type { CDPSession, Page } from 'playwright-core';

/** What a page took in a window of time. */
export interface Stretch {
  /** Milliseconds between frames, in order. */
  readonly frames: readonly number[];
  /** Milliseconds of each task that held the page for 50 or more. */
  readonly longTasks: readonly number[];
  /** The share of the time in which the page's thread worked, from 0 to 1, by the clock of its processor: what others on the machine do is not in it. */
  readonly busy: number;
  /** Behind it, when all garbage is gone. */
  readonly memory: Memory;
}

export interface Memory {
  readonly heapBytes: number;
  readonly nodes: number;
  readonly listeners: number;
}

interface Recorder {
  frames: number[];
  longTasks: number[];
}

declare global {
  var recorder: Recorder;
}

/** Measures how a page stands a load as time passes. */
export class PageLoad {
  readonly #page: Page;
  readonly #session: CDPSession;

  private constructor(page: Page, session: CDPSession) {
    this.#page = page;
    this.#session = session;
  }

  static async of(page: Page): Promise<PageLoad> {
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    await session.send('HeapProfiler.enable');
    await page.evaluate(() => {
      globalThis.recorder = { frames: [], longTasks: [] };
      let before = performance.now();
      const frame = (): void => {
        const now = performance.now();
        recorder.frames.push(now - before);
        before = now;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
      new PerformanceObserver((list) => recorder.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
    });
    return new PageLoad(page, session);
  }

  /** Measures for so long; what is done to measure memory is not in the figures of time. */
  async stretch(ms: number): Promise<Stretch> {
    await this.#page.evaluate(() => (globalThis.recorder = { frames: [], longTasks: [] }));
    const before = await this.#metrics();
    await new Promise((resolve) => setTimeout(resolve, ms));
    const after = await this.#metrics();
    const recorded = await this.#page.evaluate(() => recorder);
    const worked = (after['ThreadTime'] ?? NaN) - (before['ThreadTime'] ?? NaN);
    const passed = (after['Timestamp'] ?? NaN) - (before['Timestamp'] ?? NaN);
    return { ...recorded, busy: worked / passed, memory: await this.#memory() };
  }

  /** The least of some moments: at any there may be something under way. */
  async #memory(): Promise<Memory> {
    const least = { heapBytes: Infinity, nodes: Infinity, listeners: Infinity };
    for (let moment = 0; moment < 3; moment++) {
      await this.#session.send('HeapProfiler.collectGarbage');
      const { JSHeapUsedSize = NaN, Nodes = NaN, JSEventListeners = NaN } = await this.#metrics();
      least.heapBytes = Math.min(least.heapBytes, JSHeapUsedSize);
      least.nodes = Math.min(least.nodes, Nodes);
      least.listeners = Math.min(least.listeners, JSEventListeners);
    }
    return least;
  }

  async #metrics(): Promise<Readonly<Record<string, number>>> {
    const { metrics } = await this.#session.send('Performance.getMetrics');
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  }
}

/** The value below which so much of all lies, from 0 to 1. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
