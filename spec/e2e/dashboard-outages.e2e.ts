import { expect, it } from 'vitest';

import { freePort, host } from '../../demos/support/free-port.ts';
import { temporaryDirectory } from '../demos/run-demo.ts';
import { Proxy } from '../support/network/proxy.ts';
import { describeInChromium } from './support/chromium.ts';
import { breaksIn, DashboardPage, drawn } from './support/dashboard-page.ts';
import { startTelemetry } from './support/programs.ts';

describeInChromium('The dashboard in an outage', (browser) => {
  async function open(address: string): Promise<DashboardPage> {
    const page = await browser.page();
    await page.goto(address);
    return new DashboardPage(page);
  }

  async function expectLive(dashboard: DashboardPage): Promise<void> {
    await dashboard.connection.getByText('Live').waitFor();
    await dashboard.page.getByRole('alert').getByText('The server cannot be reached.').waitFor({ state: 'detached' });
    const { look } = await drawn(dashboard.chart('CPU'));
    await expect.poll(async () => (await drawn(dashboard.chart('CPU'))).look).not.toBe(look);
  }

  /** It says since when, and goes on showing what it knows. */
  async function expectStale({ page, connection, charts }: DashboardPage): Promise<void> {
    await connection.getByText('Reconnecting').waitFor();
    expect(await connection.innerText()).toMatch(/stale since \d\d:\d\d:\d\d · \d+ s/);
    await page.getByRole('alert').getByText('The server cannot be reached.').waitFor();
    expect((await drawn(charts.first())).pixels).toBeGreaterThan(1_000);
  }

  it('that the server is killed in says so, and goes on by itself when it is back: each sample is shown once, and none is missing', async (test) => {
    const [directory, port] = [await temporaryDirectory(test), await freePort()];
    let server = await startTelemetry(test, directory, port);
    const dashboard = await open(server.address);
    await expectLive(dashboard);
    await dashboard.row('cpu').click();
    const length = async (): Promise<number> => (await dashboard.sequences('cpu')).length;
    for (let kill = 0; kill < 3; kill++) {
      const shown = await length();
      await expect.poll(length).toBeGreaterThan(shown + 6); // more than a second, after which they are saved
      server.process.kill('SIGKILL');
      await server.ended;
      await expectStale(dashboard);
      expect(await length()).toBeGreaterThan(6);
      server = await startTelemetry(test, directory, port);
      await expectLive(dashboard);
      expect(breaksIn(await dashboard.sequences('cpu'))).toEqual([]);
    }
    const sequences = await dashboard.sequences('cpu');
    expect(sequences[0]).toBe(1);
    expect(sequences.length).toBeGreaterThan(18);
  });

  it('of the network says so, and shows what it missed when it is back', async (test) => {
    const { address } = await startTelemetry(test, await temporaryDirectory(test));
    const wire = await Proxy.to(Number(new URL(address).port));
    test.onTestFinished(() => wire.close());
    const dashboard = await open(`http://${host}:${wire.port}/`);
    await expectLive(dashboard);
    await dashboard.row('cpu').click();
    const context = dashboard.page.context();
    const last = async (): Promise<number> => (await dashboard.sequences('cpu')).at(-1) ?? 0;
    for (let time = 0; time < 2; time++) {
      await expect.poll(last).toBeGreaterThan(0);
      await context.setOffline(true); // which leaves alone what is connected already
      wire.cutAll();
      await expectStale(dashboard);
      const then = await last();
      await new Promise((resolve) => setTimeout(resolve, 1_500)); // for what is missed
      expect(await last()).toBe(then);
      await context.setOffline(false);
      await expectLive(dashboard);
      await expect.poll(last).toBeGreaterThan(then + 5);
      expect(breaksIn(await dashboard.sequences('cpu'))).toEqual([]);
    }
    expect((await dashboard.sequences('cpu'))[0]).toBe(1);
  });
});
