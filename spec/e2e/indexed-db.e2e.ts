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
  /** Saves what there was no room for. */
  var saveNotes: () => Promise<boolean>;
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

  it.each(['goes to another page', 'loads it anew', 'closes it'])('are saved when the user leaves the page at once: he %s', async (how) => {
    const context = await browser.context();
    const page = await openIn(await context.newPage(), 3_600_000);
    await page.evaluate(() => {
      rx.flushWhenHidden(counts);
      for (let index = 0; index < 500; index++) counts.set(`draft ${index}`, index);
    });
    if (how === 'closes it') await page.close({ runBeforeUnload: true });
    else if (how === 'loads it anew') await page.reload();
    else await page.goto('about:blank');
    const other = await openIn(await context.newPage());
    await expect.poll(() => other.evaluate(() => counts.size)).toBe(500);
  });

  it('are saved when the user leaves the page while others of it are read and written', async () => {
    const page = await openIn(await browser.page());
    for (let round = 1; round <= 5; round++) {
      await page.evaluate(async (count) => {
        const stores = rx.persistify(rx.indexedDb());
        const others = await stores.withBatch({ intervalMs: 1 }).open<Record<string, number>>('others');
        const rounds = await stores.withBatch({ intervalMs: 3_600_000 }).open<Record<string, number>>('counts');
        rx.flushWhenHidden(rounds);
        setInterval(() => others.set('busy', performance.now()), 1);
        rounds.set('round', count);
      }, round);
      await page.goto('about:blank');
      await openIn(page);
      await expect.poll(() => page.evaluate(() => counts.get('round'))).toBe(round);
    }
  });

  it('are as they were at one moment when the page is closed in the midst of writing, and have what was acknowledged', async () => {
    const context = await browser.context();
    for (let round = 0; round < 5; round++) {
      const page = await openIn(await context.newPage(), 1);
      const firstCount = round * 100_000;
      let acknowledged = -1;
      await page.exposeFunction('acknowledge', (count: number) => (acknowledged = count));
      await page.evaluate((first) => {
        rx.flushWhenHidden(counts);
        // Each transaction leaves all keys equal.
        const write = async (): Promise<void> => {
          for (let count = first; ; count++) {
            counts.transaction(() => {
              for (let key = 0; key < 20; key++) counts.set(`key ${key}`, count);
            });
            if (count % 5 === 0) {
              await counts.flush();
              await (Reflect.get(globalThis, 'acknowledge') as (count: number) => Promise<void>)(count);
            } else if (count % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
          }
        };
        write().catch(() => undefined);
      }, firstCount);
      await expect.poll(() => acknowledged, { timeout: 30_000 }).toBeGreaterThan(firstCount + 50);
      await page.close({ runBeforeUnload: true });
      const next = await openIn(await context.newPage());
      const values = new Set(Object.values(await contents(next)));
      expect(values.size).toBe(1);
      expect([...values][0]).toBeGreaterThanOrEqual(acknowledged);
      await next.close();
    }
  });

  it('tell when there is no more room, lose nothing, and are saved when there is', async () => {
    const page = await browser.page();
    await page.goto(address);
    const session = await page.context().newCDPSession(page);
    // Before anything is stored: Chromium remembers for a while how much room there was.
    await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(address).origin, quotaSize: 5_000_000 });
    await openIn(page);
    await page.evaluate(() => counts.setAndSave('before', 1));
    const failure = await page.evaluate(async () => {
      const notes = await rx.persistify(rx.indexedDb()).withRetry({ maxAttempts: 3, delayMs: 10 }).open<Record<string, string>>('notes');
      const tellings: string[] = [];
      notes.errors$.subscribe(({ error, attempt, fatal }) => tellings.push(`${error.message} ${'kind' in error ? String(error.kind) : ''} ${attempt} ${fatal}`));
      for (let index = 0; index < 20; index++) notes.set(`note ${index}`, String(index).repeat(1_000_000));
      const outcome = await notes.flush().catch((error: unknown) => (error instanceof Error ? error.name : error));
      globalThis.saveNotes = () => notes.flush();
      return { outcome, tellings };
    });
    expect(failure.outcome).toBe('SaveError');
    expect(failure.tellings).toHaveLength(1);
    expect(failure.tellings[0]).toMatch(/QuotaExceededError\); this site may store no more.* halt 1 true$/);
    expect(await page.evaluate(() => counts.setAndSave('small', 2))).toBe(true);
    await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(address).origin });
    await page.evaluate(() => saveNotes());
    await page.reload();
    await openIn(page);
    expect(await contents(page)).toEqual({ before: 1, small: 2 });
    expect(await page.evaluate(async () => (await rx.persistify(rx.indexedDb()).open('notes')).size)).toBe(20);
  });

  it('hold the longest value that they say they hold, in any letters', async () => {
    const page = await openIn(await browser.page());
    const length = await page.evaluate(async () => {
      const open = () => rx.persistify(rx.indexedDb()).open<Record<string, string>>('notes');
      await (await open()).setAndSave('long', `${'a'.repeat(63_999_990)}Ж`); // two bytes a letter for the one that is not Latin
      return (await open()).get('long')?.length;
    });
    expect(length).toBe(63_999_991);
  });

  it('tell when the data of the site is deleted under them, and show and save what is there then', async () => {
    const context = await browser.context();
    const tabs = [await openIn(await context.newPage()), await openIn(await context.newPage())];
    for (const tab of tabs) {
      await tab.evaluate(() => {
        globalThis.told = [];
        counts.errors$.subscribe(({ error }) => told.push(error.code));
      });
    }
    await tabs[0]?.evaluate(() => counts.setAndSave('before', 1));
    for (const tab of tabs) await expect.poll(() => contents(tab)).toEqual({ before: 1 });
    const session = await context.newCDPSession(tabs[0] ?? (await context.newPage()));
    await session.send('Storage.clearDataForOrigin', { origin: new URL(address).origin, storageTypes: 'indexeddb' });
    for (const tab of tabs) {
      await expect.poll(() => tab.evaluate(() => told)).toContain('DATA_LOST');
      await expect.poll(() => contents(tab)).toEqual({});
    }
    await tabs[1]?.evaluate(() => counts.setAndSave('after', 2));
    for (const tab of tabs) await expect.poll(() => contents(tab)).toEqual({ after: 2 });
    expect(await Promise.all(tabs.map((tab) => tab.evaluate(() => told.filter((code) => code === 'DATA_LOST'))))).toEqual([['DATA_LOST'], ['DATA_LOST']]);
  });
});
