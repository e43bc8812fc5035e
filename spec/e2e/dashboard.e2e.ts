import { beforeEach, expect, it, type TestContext } from 'vitest';

import { temporaryDirectory } from '../demos/run-demo.ts';
import { describeInChromium } from './support/chromium.ts';
import { breaksIn, DashboardPage, drawn } from './support/dashboard-page.ts';
import { guard, type Offences } from './support/guarded-page.ts';
import { startTelemetry } from './support/programs.ts';

describeInChromium('The dashboard', (browser) => {
  let address: string;
  let offences: Offences;

  /** Of this machine, as `npm start` shows it, just opened. */
  async function open(test: TestContext, { width = 1_280, height = 800 } = {}): Promise<DashboardPage> {
    ({ address } = await startTelemetry(test, await temporaryDirectory(test)));
    const page = await browser.page({ viewport: { width, height } });
    offences = await guard(page, new URL(address).origin);
    await page.goto(address);
    return new DashboardPage(page);
  }

  beforeEach(() => {
    offences = [];
    return () => expect(offences).toEqual([]);
  });

  it('shows live charts within two seconds of being opened', async (test) => {
    const { page, charts } = await open(test);
    await charts.first().waitFor();
    const first = page.locator('app-chart canvas').first();
    await expect.poll(async () => (await drawn(first)).pixels).toBeGreaterThan(100);
    expect(await page.evaluate(() => performance.now())).toBeLessThan(2_000);
  });
});
