// Not a spec: `npm run screenshots` makes the pictures of the dashboard by it, of a machine that is made up, always the same.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, it, onTestFinished } from 'vitest';

import { describeInChromium } from './support/chromium.ts';
import { DashboardPage, drawn } from './support/dashboard-page.ts';
import { startSeededTelemetry } from './support/programs.ts';
import { smallPng } from './support/small-png.ts';

const folder = join(import.meta.dirname, '../../demos/dashboard/screenshots');

describeInChromium('Pictures of the dashboard', (browser) => {
  it.each([
    { name: 'light', width: 1_280, height: 800, colorScheme: 'light' as const, key: undefined },
    { name: 'dark', width: 1_280, height: 800, colorScheme: 'dark' as const, key: undefined },
    { name: 'history', width: 1_280, height: 800, colorScheme: 'light' as const, key: 'disk.written' },
    { name: 'phone', width: 360, height: 740, colorScheme: 'light' as const, key: undefined },
  ])('$name', async ({ name, width, height, colorScheme, key }) => {
    const { address } = await startSeededTelemetry({ onTestFinished });
    const page = await browser.page({ viewport: { width, height }, colorScheme, locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce' });
    await page.goto(address);
    const dashboard = new DashboardPage(page);
    await expect.poll(async () => (await drawn(dashboard.charts.last())).pixels).toBeGreaterThan(1_000);
    if (key !== undefined) {
      await dashboard.row(key).click();
      await expect.poll(async () => (await drawn(dashboard.history(key).locator('canvas'))).pixels).toBeGreaterThan(1_000);
    }
    await dashboard.saving.getByText('Saved', { exact: true }).waitFor();
    const picture = await smallPng(await page.screenshot({ animations: 'disabled' }), await browser.page());
    expect(picture.length).toBeLessThan(150_000); // it is in the repository
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${name}.png`), picture);
  });
});
