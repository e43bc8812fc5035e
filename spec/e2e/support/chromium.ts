import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';

import { PageServer } from './page-server.ts';

const known = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = [process.env['CHROMIUM'] ?? '', ...known].find((path) => existsSync(path));
const howToGetIt = 'install it (Debian: apt-get install chromium), or name it by the environment variable CHROMIUM';

/** As root there is no sandbox, and the pages are our own; the rest keeps it from calling home. */
const flags = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-lcd-text'];

/** One Chromium for the specs of a group. What is asked for in a test is gone when it has ended; what is asked for before all, after all. */
export interface Chromium {
  /** A profile of its own, as if it were another machine: its pages, like tabs, have cookies and databases in common. */
  context(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** A page in a profile of its own. */
  page(options?: BrowserContextOptions): Promise<Page>;
  /** Serves a page that runs `spec/e2e/pages/<name>.ts`; resolves to its address. */
  serveProgram(name: string): Promise<string>;
}

/**
 * Registers specs that need a real Chromium. Without one they are skipped, which is said; where `CI` is set, they fail instead.
 * An error that a page of theirs does not catch fails the test in which it comes.
 */
export function describeInChromium(title: string, register: (browser: Chromium) => void): void {
  const isSkipped = executablePath === undefined && process.env['CI'] === undefined;
  if (isSkipped) console.warn(`There is no Chromium on this machine: "${title}" is skipped. To run it, ${howToGetIt}.`);
  describe.skipIf(isSkipped)(title, () => {
    const browser = new OneChromium();
    beforeAll(() => browser.launch());
    beforeEach(() => browser.beginTest());
    afterEach(() => browser.endTest());
    afterAll(() => browser.close());
    register(browser);
  });
}

class OneChromium implements Chromium {
  #browser: Browser | undefined;
  /** What ends when all tests have ended, and what with the one that runs. */
  readonly #ofAll: Ending[] = [];
  #ofTest: Ending[] | undefined;
  #uncaught: Error[] = [];

  async launch(): Promise<void> {
    if (executablePath === undefined) throw new Error(`There is no Chromium on this machine: ${howToGetIt}.`);
    this.#browser = await chromium.launch({ executablePath, args: flags });
  }

  beginTest(): void {
    this.#ofTest = [];
    this.#uncaught = [];
  }

  async endTest(): Promise<void> {
    await endAll(this.#ofTest ?? []);
    this.#ofTest = undefined;
    if (this.#uncaught[0] !== undefined) throw this.#uncaught[0];
  }

  async close(): Promise<void> {
    await endAll(this.#ofAll);
    await this.#browser?.close();
  }

  async context(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    if (this.#browser === undefined) throw new Error('Chromium is there only while specs run: ask for it in a test, or in beforeAll.');
    const context = await this.#browser.newContext(options);
    context.on('weberror', (error) => void this.#uncaught.push(error.error()));
    this.#endWith(() => context.close());
    return context;
  }

  async page(options?: BrowserContextOptions): Promise<Page> {
    return (await this.context(options)).newPage();
  }

  async serveProgram(name: string): Promise<string> {
    const server = await PageServer.forProgram(join(import.meta.dirname, '../pages', `${name}.ts`));
    this.#endWith(() => server.close());
    return server.url;
  }

  #endWith(ending: Ending): void {
    (this.#ofTest ?? this.#ofAll).push(ending);
  }
}

type Ending = () => Promise<void>;

/** The last first. */
async function endAll(endings: readonly Ending[]): Promise<void> {
  for (const end of endings.toReversed()) await end();
}
