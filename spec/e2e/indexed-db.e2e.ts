import type { Page } from 'playwright-core';
import type { Store } from 'rx-persistify';
import { beforeAll, expect, it } from 'vitest';

import { describeInChromium } from './support/chromium.ts';
import type {} from './pages/stores.ts'; // what it makes global

declare global {
  /** The open store of a page. */
  var counts: Store<Record<string, number>>;
  /** What changes told, in short. */
  var told: string[];
}

describeInChromium('Stores in IndexedDB', (browser) => {
  let address: string;

  beforeAll(async () => {
    address = await browser.serveProgram('stores');
  });

  /** Shows the page, and opens the store in it. */
  async function openIn(page: Page, intervalMs = 10): Promise<Page> {
    await page.goto(address);
    await page.evaluate(async (interval) => {
      globalThis.counts = await rx.persistify(rx.indexedDb()).withBatch({ intervalMs: interval }).open<Record<string, number>>('counts');
      globalThis.told = [];
      counts.changes$.subscribe((change) => told.push(`${change.origin} ${change.type} ${'key' in change ? change.key : ''}`));
    }, intervalMs);
    return page;
  }

  const contents = (page: Page): Promise<Record<string, number>> => page.evaluate(() => Object.fromEntries(counts));

  it('are there again when the page is loaded anew', async () => {
    const page = await openIn(await browser.page());
    await page.evaluate(async () => {
      for (let index = 0; index < 2_500; index++) counts.set(`key ${index}`, index);
      await counts.flush();
      await counts.deleteAndSave('key 7');
    });
    await page.reload();
    await openIn(page);
    expect(await page.evaluate(() => [counts.size, counts.get('key 2499'), counts.has('key 7')])).toEqual([2_499, 2_499, false]);
  });

  it('agree in two tabs, which hear of each other in the order of the commits', async () => {
    const context = await browser.context();
    const [one, other] = [await openIn(await context.newPage()), await openIn(await context.newPage())];
    await one.evaluate(async () => {
      counts.set('a', 1);
      await counts.setAndSave('b', 2);
      await counts.deleteAndSave('a');
    });
    await expect.poll(() => contents(other)).toEqual({ b: 2 });
    expect(await other.evaluate(() => told.filter((line) => line.endsWith(' b')))).toEqual(['remote set b']);
    await other.evaluate(() => counts.clearAndSave());
    await expect.poll(() => contents(one)).toEqual({});
  });

  it('hear of another tab within a tenth of a second', async () => {
    const context = await browser.context();
    const [one, other] = [await openIn(await context.newPage()), await openIn(await context.newPage())];
    const heard = other.evaluate(() => new Promise<number>((resolve) => void counts.get$('now').subscribe((then) => then !== undefined && resolve(Date.now() - then))));
    await one.evaluate(() => counts.setAndSave('now', Date.now()));
    expect(await heard).toBeLessThan(500); // it is some milliseconds, on a machine that is not busy; the poll alone takes up to a second
  });

  it('lose no increment of two tabs that count one key up', async () => {
    const context = await browser.context();
    const tabs = [await openIn(await context.newPage()), await openIn(await context.newPage())];
    const countUp = (page: Page): Promise<void> =>
      page.evaluate(async () => {
        for (let round = 0; round < 100; round++) await counts.updateAndSave('count', (count = 0) => count + 1);
      });
    await Promise.all(tabs.map(countUp));
    for (const tab of tabs) await expect.poll(() => contents(tab)).toEqual({ count: 200 });
  });

  it('come to the same in tabs that write the same keys at once', async () => {
    const context = await browser.context();
    const tabs = [await openIn(await context.newPage(), 1), await openIn(await context.newPage(), 1), await openIn(await context.newPage(), 1)];
    await Promise.all(
      tabs.map((tab, who) =>
        tab.evaluate(async (own) => {
          for (let round = 0; round < 300; round++) {
            counts.set(`key ${round % 11}`, own * 1_000 + round);
            if (round % 29 === 0) counts.delete(`key ${(round + 3) % 11}`);
            if (round % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
          }
          await counts.flush();
        }, who),
      ),
    );
    const fresh = await openIn(await context.newPage());
    for (const tab of tabs) await expect.poll(() => contents(tab)).toEqual(await contents(fresh));
  });

  it('are saved as soon as the page is hidden', async () => {
    const context = await browser.context();
    const page = await openIn(await context.newPage(), 3_600_000);
    // Pages that are driven from outside count as visible for ever: the event is made, what it does is real.
    await page.evaluate(() => {
      rx.flushWhenHidden(counts);
      counts.set('draft', 1);
      Object.defineProperty(document, 'visibilityState', { value: 'hidden' });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    const other = await openIn(await context.newPage());
    await expect.poll(() => contents(other)).toEqual({ draft: 1 });
  });

  it.each(['goes to another page', 'is closed'])('are saved when the user %s', async (how) => {
    const context = await browser.context();
    const page = await openIn(await context.newPage(), 3_600_000);
    await page.evaluate(() => {
      rx.flushWhenHidden(counts);
      for (let index = 0; index < 500; index++) counts.set(`draft ${index}`, index);
    });
    if (how === 'is closed') await page.close({ runBeforeUnload: true });
    else await page.goto('about:blank');
    const other = await openIn(await context.newPage());
    await expect.poll(() => other.evaluate(() => counts.size)).toBe(500);
  });
});
