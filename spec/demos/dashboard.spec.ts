import { execFile } from 'node:child_process';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';

import { Client } from 'pg';
import { persistify } from 'rx-persistify';
import { remote } from 'rx-persistify/remote';
import { beforeAll, describe, expect, it } from 'vitest';

import type { SavingFacts } from '../../demos/dashboard/saving-facts.ts';
import { EmbeddedServer } from '../../demos/support/embedded-server.ts';
import { sortSamples, type Current, type Slots } from '../../demos/telemetry/history.ts';
import { builtDemo, runDemo, startDemo, temporaryDirectory, type Running, type Test } from './run-demo.ts';

const program = 'telemetry/main.js';

const buildPage = () => promisify(execFile)(process.execPath, [builtDemo('dashboard/build-page.js')]);

beforeAll(async () => {
  await buildPage();
}, 180_000); // Angular's compiler takes seconds of a processor, which other specs want, too

/** What `npm start` runs, and the address that it prints. */
async function startServed(test: Test, args: readonly string[] = []): Promise<{ readonly run: Running; readonly address: string }> {
  const run = startDemo(test, program, ['--data', await temporaryDirectory(test), ...args]);
  const line = /^Dashboard: (http:.*)$/m;
  await run.printed(line);
  return { run, address: line.exec(run.stdout())?.[1] ?? '' };
}

async function follow<T>({ onTestFinished }: Test, address: string, name: string) {
  const store = await persistify(remote({ url: `${address}feed` })).open<T>(name);
  onTestFinished(() => store.close());
  return store;
}

/** As it is given; a URL would be put straight. */
function statusOf(address: string, path: string, options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {}): Promise<number | undefined> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, ...options, agent: false }, (response) => resolve(response.resume().statusCode)).on('error', reject).end();
  });
}

describe.concurrent('the dashboard', () => {
  it('is a page of its own, with all that it needs, and may load nothing else', async (test) => {
    const { address } = await startServed(test);
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    const page = await fetch(address);
    expect(page.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('Content-Security-Policy')).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; /);
    const html = await page.text();
    const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(parts.sort()).toEqual(['icon.svg', 'main.js', 'styles.css']);
    const types = await Promise.all(parts.map(async (path) => (await fetch(address + path)).headers.get('Content-Type')));
    expect(types).toEqual(['image/svg+xml', 'text/javascript; charset=utf-8', 'text/css; charset=utf-8']);
    const script = await (await fetch(`${address}main.js`)).text();
    expect(script).toContain('app-dashboard');
    expect(script.length).toBeLessThan(600_000);
  });

  it('tells by its feed what is measured, and how saving goes', async (test) => {
    const { address } = await startServed(test);
    const current = await follow<Current>(test, address, 'current');
    await test.expect.poll(() => [...current.keys()]).toEqual(expect.arrayContaining(['cpu', 'memory.used', 'loop.max']));
    const before = current.get('cpu')?.at ?? 0;
    await test.expect.poll(() => current.get('cpu')?.at).toBeGreaterThan(before);

    const samples = await follow<Slots>(test, address, 'samples');
    await test.expect.poll(() => sortSamples(samples.values()).at(-1)?.values).toHaveProperty('cpu');
    const facts = await follow<SavingFacts>(test, address, 'saving');
    expect(facts.get('place')).toMatch(/telemetry\.sqlite$/);
    await test.expect.poll(() => facts.get('saved')).toBeGreaterThan(0);
    await test.expect.poll(() => current.status.lastSavedAt).toBeGreaterThan(0); // that of the server
    expect(facts.get('error')).toBeUndefined();
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`is told the end, and holds nothing up, when ${signal} comes`, async (test) => {
      const { run, address } = await startServed(test);
      const feeds = await Promise.all(['current', 'samples', 'saving'].map((store) => fetch(`${address}feed?store=${store}`)));
      const idle = await fetch(address); // its connection is kept for another request
      expect(idle.status).toBe(200);
      await run.printed(/sample \d/);
      run.process.kill(signal);
      const texts = await Promise.all(feeds.map((feed) => feed.text()));
      for (const text of texts) expect(text).toMatch(/event: closed\ndata: \{\}\n\n$/);
      const { stdout, stderr } = await run.ended;
      expect(stderr).toBe('');
      expect(stdout).toContain('Everything is saved.');
    });
  }

  it('shows only what is its own, by GET, and to whom it is meant for', async (test) => {
    const { address } = await startServed(test);
    const { port } = new URL(address);
    for (const path of ['/../package.json', '/..%2f..%2fpackage.json', '//etc/passwd', '/%2e%2e/%2e%2e/package.json', '/index.html/../../x', '/nothing', '/constructor']) {
      expect(await statusOf(address, path), path).toBe(404);
    }
    expect(await statusOf(address, '/', { method: 'POST' })).toBe(405);
    expect(await statusOf(address, '/', { method: 'HEAD' })).toBe(200);
    expect(await statusOf(address, '/?x=1', { headers: { Host: `localhost:${port}` } })).toBe(200);
    for (const path of ['/', '/feed?store=current']) expect(await statusOf(address, path, { headers: { Host: 'example.org' } }), path).toBe(403); // a name that somebody has pointed here
  });

  it('is at the port that is asked for, or says that it is taken', async (test) => {
    const other = createServer();
    test.onTestFinished(() => void other.close());
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo; // as it listens on a port
    const directory = await temporaryDirectory(test);
    const refused = await runDemo(test, program, ['--data', directory, '--port', String(port)]);
    expect(refused.stderr).toBe(`Cannot serve the dashboard: port ${port} is taken. Give another one, or 0 for one that is free.\n`);
    expect(refused.code).toBe(1);

    await new Promise((resolve) => other.close(resolve));
    const run = startDemo(test, program, ['--data', directory, '--port', String(port)]);
    await run.printed(new RegExp(`^Dashboard: http://127\\.0\\.0\\.1:${port}/$`, 'm'));
    expect(await statusOf(`http://127.0.0.1:${port}/`, '/')).toBe(200);
  });

  it('is built once for its sources', async () => {
    const { stdout } = await buildPage();
    expect(stdout).toBe('');
  });
});

describe('telemetry in PostgreSQL', () => {
  it('is kept in a schema of its own, found again, and shown; what is secret of the address is not', async (test) => {
    const server = await EmbeddedServer.start();
    test.onTestFinished(() => server.remove());
    const args = ['--postgres', server.url()];
    const run = startDemo(test, program, args);
    const line = /^Dashboard: (http:.*)$/m;
    await run.printed(line);
    const facts = await follow<SavingFacts>(test, line.exec(run.stdout())?.[1] ?? '', 'saving');
    expect(facts.get('place')).toBe(`PostgreSQL at 127.0.0.1:${server.port}/postgres`);
    await test.expect.poll(() => facts.get('saved')).toBeGreaterThan(0);
    run.process.kill('SIGINT');
    const first = await run.ended;
    expect([first.stderr, first.code]).toEqual(['', 130]);
    expect(first.stdout).toContain('Everything is saved.');
    expect(first.stdout).not.toContain(encodeURIComponent(new URL(server.url()).password));

    const client = new Client({ connectionString: server.url() });
    await client.connect();
    test.onTestFinished(() => client.end());
    const { rows } = await client.query<{ samples: string }>('select count(*) as samples from rx_persistify_telemetry.samples');
    const samples = Number(rows[0]?.samples);
    expect(samples).toBeGreaterThan(0);
    const second = await runDemo(test, program, [...args, '--seconds', '0.3']);
    expect(second.stdout).toMatch(new RegExp(`^Found \\d+ metrics, ${samples} samples`));
  });
});
