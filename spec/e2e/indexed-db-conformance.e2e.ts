import type { Page } from 'playwright-core';
import { beforeAll, expect, it } from 'vitest';

import { conformanceTests } from './pages/conformance-tests.ts';
import { describeInChromium } from './support/chromium.ts';
import type {} from './pages/conformance.ts'; // what it makes global

describeInChromium('In Chromium', (browser) => {
  const names = [...conformanceTests().keys()];
  let page: Page;

  beforeAll(async () => {
    page = await browser.page();
    await page.goto(await browser.serveProgram('conformance'));
  });

  it('there is the whole suite', () => {
    expect(names.length).toBeGreaterThan(100);
  });

  it.each(names)('%s', async (name) => {
    await page.evaluate((test) => runConformanceTest(test), name);
  });
});
