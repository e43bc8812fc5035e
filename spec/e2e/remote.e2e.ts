import type { BrowserContext, Page } from 'playwright-core';
import { beforeAll, expect, it, type TestContext } from 'vitest';

import { freePort, host } from '../../demos/support/free-port.ts';
import { temporaryDirectory } from '../demos/run-demo.ts';
import { Proxy } from '../support/network/proxy.ts';
import type { Heard } from './pages/remote.ts';
import { describeInChromium } from './support/chromium.ts';
import { breaksIn } from './support/dashboard-page.ts';
import { startCounting } from './support/programs.ts';

describeInChromium('A store that a page follows', (browser) => {
  let program: string;

  beforeAll(async () => {
    program = await browser.serveProgram('remote');
  });

  interface Scene {
    readonly context: BrowserContext;
    readonly page: Page;
    /** What lies between page and server. */
    readonly wire: Proxy;
    /** Kills the server that counts, and starts it again on the same port. */
    readonly restart: () => Promise<void>;
    /** Ends the server in order; resolves to how far it has counted. */
    readonly end: () => Promise<number>;
    readonly counted: () => number;
    readonly heard: () => Promise<Heard>;
    /** Waits until the page has heard of `more` numbers. */
    readonly hear: (more: number) => Promise<void>;
    readonly connection: (state: string) => Promise<void>;
  }

  /** @param timeoutMs the silence after which a connection counts as broken; the server is heard of ten times a second. */
  async function open(test: TestContext, timeoutMs = 30_000): Promise<Scene> {
    const [directory, port] = [await temporaryDirectory(test), await freePort()];
    let server = await startCounting(test, directory, port);
    const wire = await Proxy.to(port);
    test.onTestFinished(() => wire.close());
    const context = await browser.context();
    const page = await context.newPage();
    await page.goto(program);
    await page.evaluate(([url, silence]) => follow(url, silence), [`http://${host}:${wire.port}/feed`, timeoutMs] as const);
    const heard = (): Promise<Heard> => page.evaluate(() => globalThis.heard);
    const count = (): Promise<number> => page.evaluate(() => globalThis.heard.numbers.length);
    return {
      context,
      page,
      wire,
      heard,
      counted: () => server.counted(),
      restart: async () => {
        server.process.kill('SIGKILL');
        await server.ended;
        server = await startCounting(test, directory, port);
      },
      end: async () => {
        server.process.kill('SIGTERM');
        await server.ended;
        return server.counted();
      },
      hear: async (more) => {
        const before = await count();
        await expect.poll(count).toBeGreaterThanOrEqual(before + more);
      },
      connection: (state) => expect.poll(() => page.evaluate(() => globalThis.heard.connections.at(-1)), { timeout: 20_000 }).toBe(state),
    };
  }

  it('is followed through kills of the server without a gap and without a duplicate', async (test) => {
    const { page, restart, end, heard, hear, connection } = await open(test);
    const kills = 4;
    for (let kill = 0; kill < kills; kill++) {
      await hear(30);
      await restart();
      await connection('connected');
    }
    await hear(30);
    const counted = await end();
    await expect.poll(() => page.evaluate(() => contents().length)).toBe(counted);
    await connection('reconnecting'); // the last of it was told before the connection ended
    const { numbers, takenBack, connections } = await heard();
    expect(connections).toEqual(['connected', ...Array.from({ length: kills }, () => ['reconnecting', 'connected']).flat(), 'reconnecting']);
    // What was told in the moment of a kill may not have been saved: then it is taken back, and counted again.
    expect(takenBack.length).toBeLessThanOrEqual(kills);
    const told = numbers.filter((number, index) => !(takenBack.includes(number) && numbers.indexOf(number) < index));
    expect(breaksIn(told)).toEqual([]);
    expect([told[0], told.at(-1)]).toEqual([1, counted]);
    expect(numbers.length - told.length).toBeLessThanOrEqual(kills);
  });

  /** Goes away and comes again three times, each as told: it is seen to be away, and nothing is missed and nothing told twice. */
  async function expectNothingMissed({ page, end, heard, hear, connection, counted }: Scene, leave: () => Promise<void> | void, comeBack: () => Promise<void> | void): Promise<void> {
    for (let time = 0; time < 3; time++) {
      await hear(20);
      await leave();
      await connection('reconnecting');
      const { length } = (await heard()).numbers;
      const then = counted();
      await expect.poll(counted).toBeGreaterThan(then + 50);
      expect((await heard()).numbers.length).toBe(length);
      await comeBack();
      await connection('connected');
    }
    await hear(20);
    const last = await end();
    await expect.poll(() => page.evaluate(() => contents().length)).toBe(last);
    const { numbers, takenBack, isReloaded } = await heard();
    expect(takenBack).toEqual([]);
    expect(isReloaded).toBe(false); // the server knew where the page was
    expect(breaksIn(numbers)).toEqual([]);
    expect([numbers[0], numbers.at(-1)]).toEqual([1, last]);
  }

  it('is told what it missed while the browser was offline', async (test) => {
    const scene = await open(test);
    const { context, wire } = scene;
    await expectNothingMissed(
      scene,
      async () => {
        await context.setOffline(true); // which leaves alone what is connected already
        wire.cutAll();
      },
      () => context.setOffline(false),
    );
  });

  it('is told what it missed while a cable was pulled, of which there was no sign but silence', async (test) => {
    const scene = await open(test, 1_000);
    await expectNothingMissed(
      scene,
      () => scene.wire.blackhole(),
      () => scene.wire.mend(),
    );
  });
});
