import { expect, it, type TestContext } from 'vitest';

import { describeInChromium } from './support/chromium.ts';
import { DashboardPage } from './support/dashboard-page.ts';
import { PageLoad, quantile, type Stretch } from './support/page-load.ts';
import { startSeededTelemetry } from './support/programs.ts';

const changesPerSecond = 1_000;
/** Thirty seconds in all, after some that the page needs to be warm. */
const [stretches, stretchMs, warmMs] = [6, 5_000, 4_000];
/** So many more are measured at most, to tell what grows from what others on the machine do. */
const mostExtra = 6;
const timeout = 3 * (warmMs + (stretches + mostExtra) * stretchMs);
/** A change that is kept somewhere takes more. */
const bytesOfAChange = 64;

/** How much more than in the first half a figure may be behind it: so many times as much, and so much. */
interface Bound {
  readonly figure: (stretch: Stretch) => number;
  readonly times: number;
  readonly and: number;
}

const bounds: Readonly<Record<string, Bound>> = {
  'median of frames, ms': { figure: ({ frames }) => quantile(frames, 0.5), times: 1.5, and: 17 },
  'slow frames (95th of 100), ms': { figure: ({ frames }) => quantile(frames, 0.95), times: 2, and: 50 },
  'in long tasks, ms': { figure: ({ longTasks }) => longTasks.reduce((sum, ms) => sum + ms, 0), times: 2, and: 0.1 * stretchMs },
  'share of time at work': { figure: ({ busy }) => busy, times: 1.5, and: 0.05 },
  'heap, bytes': { figure: ({ memory }) => memory.heapBytes, times: 1, and: bytesOfAChange * changesPerSecond * (stretches / 2) * (stretchMs / 1_000) },
  nodes: { figure: ({ memory }) => memory.nodes, times: 1, and: 20 },
  listeners: { figure: ({ memory }) => memory.listeners, times: 1, and: 20 },
};

/** What has grown from the first half to the best of all that was measured behind it. */
function grownIn(measured: readonly Stretch[]): readonly string[] {
  return Object.entries(bounds).flatMap(([name, { figure, times, and }]) => {
    const figures = measured.map(figure);
    const [before, after] = [Math.min(...figures.slice(0, stretches / 2)), Math.min(...figures.slice(stretches / 2))];
    return after <= before * times + and ? [] : [`${name}: ${figures.map((value) => value.toPrecision(3)).join(', ')}`];
  });
}

/**
 * What grows with each change does not shrink again; what the machine does besides comes and goes. So it is flat if, behind the first
 * half, there is a stretch of time as good as there was in it: that nothing grows is promised, and not how fast a machine is.
 */
describeInChromium('The dashboard, told of a thousand changes a second for thirty seconds', (browser) => {
  async function expectFlat(test: TestContext, keys: number, shownKey: string): Promise<void> {
    const server = await startSeededTelemetry(test, { changesPerSecond, keys });
    const page = await browser.page({ viewport: { width: 1_280, height: 800 } });
    await page.goto(server.address);
    const dashboard = new DashboardPage(page);
    await dashboard.charts.first().waitFor();
    const load = await PageLoad.of(page);
    await load.stretch(warmMs);

    const before = server.changes();
    const measured: Stretch[] = [];
    let shown: string | null = '';
    while (measured.length < stretches || (grownIn(measured).length > 0 && measured.length < stretches + mostExtra)) {
      measured.push(await load.stretch(stretchMs));
      await expect.poll(() => dashboard.value(shownKey).textContent()).not.toBe(shown); // not flat because it sleeps
      shown = await dashboard.value(shownKey).textContent();
    }
    expect(server.changes() - before).toBeGreaterThan(0.9 * changesPerSecond * (stretches * stretchMs) / 1_000);
    expect(await dashboard.connection.innerText()).toBe('Live');
    expect(grownIn(measured)).toEqual([]);
  }

  it('of few keys, each many times a second, takes no more time and memory in the end than in the beginning', { timeout }, async (test) => {
    await expectFlat(test, 14, 'cpu');
  });

  it('of as many keys as changes, with more rows than a screen has, neither', { timeout }, async (test) => {
    await expectFlat(test, 1_000, 'sensor.0100');
  });
});
