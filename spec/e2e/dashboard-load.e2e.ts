import { expect, it, onTestFinished, type TestContext } from 'vitest';

import { describeInChromium } from './support/chromium.ts';
import { DashboardPage } from './support/dashboard-page.ts';
import { PageLoad, quantile, type Stretch } from './support/page-load.ts';
import { startSeededTelemetry } from './support/programs.ts';

describeInChromium('The dashboard at a thousand changes a second', (browser) => {
  async function measure(test: TestContext, keys: number): Promise<Stretch[]> {
    const server = await startSeededTelemetry(test, { changesPerSecond: 1_000, keys });
    const page = await browser.page({ viewport: { width: 1_280, height: 800 } });
    await page.goto(server.address);
    const dashboard = new DashboardPage(page);
    await dashboard.charts.first().waitFor();
    const load = await PageLoad.of(page);
    await load.stretch(4_000);
    const stretches: Stretch[] = [];
    for (let i = 0; i < 6; i++) stretches.push(await load.stretch(5_000));
    console.log(keys, server.stdout().trim().split('\n').at(-1));
    for (const { frames, longTasks, busy, memory } of stretches)
      console.log(frames.length, 'p50', quantile(frames, 0.5).toFixed(1), 'p95', quantile(frames, 0.95).toFixed(1), 'max', Math.max(...frames).toFixed(0), 'long', longTasks.length, longTasks.reduce((a, b) => a + b, 0).toFixed(0), 'busy', busy.toFixed(3), memory.heapBytes, memory.nodes, memory.listeners);
    return stretches;
  }

  it.each([14, 1_000])('of %d keys', async (keys) => {
    const test = { onTestFinished } as unknown as TestContext;
    await measure(test, keys);
    expect(1).toBe(1);
  });
});
