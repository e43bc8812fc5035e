import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire, isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';

import { build, transform, type Metafile } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const tsc = join(require.resolve('typescript/package.json'), '../bin/tsc');
const run = promisify(execFile);

/** The first program that a reader of the README sees. */
const example = firstExample(readFileSync(join(root, 'README.md'), 'utf8'));

/** Minified, gzipped: rxjs 7 and zod/mini are most of it. A new dependency, or the whole of one, goes beyond. */
const gzipBound = 44_000;
const remoteGzipBound = 48_000;
const indexedDbGzipBound = 51_000;

describe('the package, installed from its tarball with rxjs and idb beside it', () => {
  let project: string;

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'rx-persistify-package-'));
    await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'consumer', version: '1.0.0', private: true }));
    // What `prepack` would do was done: the specs run on the build. Building again here would change files under their feet.
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: root });
    const tarball = readdirSync(project).find((name) => name.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('npm pack made no tarball.');
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball}`, 'rxjs@7', 'idb@8'], { cwd: project });
  }, 120_000);

  afterAll(() => rm(project, { recursive: true, force: true }));

  const inProject = async (name: string, code: string, ...options: string[]): Promise<string> => {
    await writeFile(join(project, name), code);
    const { stdout } = await run(process.execPath, [...options, name], { cwd: project });
    return stdout;
  };

  it('brings no driver and no Node types with it', () => {
    expect(existsSync(join(project, 'node_modules/rxjs'))).toBe(true);
    for (const name of ['better-sqlite3', 'pg', '@types/node', 'typescript']) expect(existsSync(join(project, 'node_modules', name)), name).toBe(false);
  });

  it("has the README's first example working as ESM", async () => {
    const { code } = await transform(example, { loader: 'ts', format: 'esm' });
    await inProject('example.mjs', code);
    expect(await saved('data')).toEqual({ theme: 'dark', fontSize: 14 });
  });

  it("has the README's first example working by require, without a warning", async () => {
    const { code } = await transform(asCommonJs(example), { loader: 'ts', format: 'cjs' });
    await writeFile(join(project, 'example.cjs'), code.replaceAll('./data', './data-cjs'));
    const { stderr } = await run(process.execPath, ['example.cjs'], { cwd: project });
    expect(stderr).toBe('');
    expect(await saved('data-cjs')).toEqual({ theme: 'dark', fontSize: 14 });
  });

  it.each([
    ['nodenext', 'nodenext', '.mts'],
    ['bundler', 'esnext', '.ts'],
  ])('has types that hold in a strict project with moduleResolution %s, library checks included', { timeout: 60_000 }, async (moduleResolution, module, extension) => {
    const names = [`readme-${moduleResolution}${extension}`, `consumer-${moduleResolution}${extension}`];
    await writeFile(join(project, names[0] ?? ''), example);
    await writeFile(join(project, names[1] ?? ''), consumer);
    const config = join(project, `tsconfig.${moduleResolution}.json`);
    // AbortSignal and console are the platform's: here the browser's, so that nothing of Node is needed.
    const compilerOptions = { target: 'es2022', module, moduleResolution, lib: ['es2022', 'dom', 'esnext.disposable'], types: [], strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, noEmit: true };
    await writeFile(config, JSON.stringify({ compilerOptions, files: names }));
    const { stdout } = await run(process.execPath, [tsc, '-p', config], { cwd: project }).catch((error: unknown) => ({ stdout: outputOf(error) }));
    expect(stdout).toBe('');
  });

  it('has types that refuse what they should', { timeout: 60_000 }, async () => {
    await writeFile(join(project, 'refused.mts'), refused);
    const config = join(project, 'tsconfig.refused.json');
    const compilerOptions = { target: 'es2022', module: 'nodenext', lib: ['es2022', 'dom', 'esnext.disposable'], types: [], strict: true, noEmit: true };
    await writeFile(config, JSON.stringify({ compilerOptions, files: ['refused.mts'] }));
    const output = await run(process.execPath, [tsc, '-p', config], { cwd: project }).then(() => '', outputOf);
    const lines = refused.split('\n').flatMap((line, index) => (line.includes('// refused') ? [index + 1] : []));
    expect([...output.matchAll(/^refused\.mts\((\d+),/gm)].map(([, line]) => Number(line))).toEqual(lines);
  });

  it('says what to install where sqlite is used without better-sqlite3', async () => {
    const code = `
      import { LoadError, persistify } from 'rx-persistify';
      import { sqlite } from 'rx-persistify/sqlite';
      const error = await persistify(sqlite({ file: './data/app.sqlite' })).open('prefs').catch((error) => error);
      console.log(JSON.stringify({ name: error.name, message: error.message, cause: error.cause?.message }));`;
    const { name, message, cause } = JSON.parse(await inProject('sqlite.mjs', code)) as { name: string; message: string; cause?: string };
    expect(name).toBe('LoadError');
    expect(`${message} ${cause ?? ''}`).toMatch(/needs the package better-sqlite3, which is not installed: npm install better-sqlite3/);
  });

  it.each([
    ['rx-persistify', ['rxjs', 'zod/mini']],
    ['rx-persistify/conformance', ['rxjs']],
    ['rx-persistify/server', ['rxjs', 'zod/mini']],
    ['rx-persistify/remote', ['rxjs', 'zod/mini']],
    ['rx-persistify/indexed-db', ['rxjs', 'zod/mini', 'idb']],
  ])('loads no Node builtin and no driver with %s', async (entry, packages) => {
    const loaded = await loadedBy(entry);
    expect(loaded.filter((specifier) => isBuiltin(specifier))).toEqual([]);
    const bare = loaded.filter((specifier) => !/^[./]|^file:/.test(specifier));
    expect(loaded).not.toEqual([]);
    expect(bare.filter((specifier) => !packages.includes(specifier))).toEqual([]);
  });

  it('loads Node builtins alone with rx-persistify/node', async () => {
    const loaded = await loadedBy('rx-persistify/node');
    expect(loaded.filter((specifier) => isBuiltin(specifier))).not.toEqual([]);
    expect(loaded.filter((specifier) => !/^[./]|^file:/.test(specifier) && !isBuiltin(specifier))).toEqual([]);
  });

  it('has flushOnExit saving when the program is told to end', { skip: process.platform === 'win32' }, async () => {
    const code = `
      import { persistify } from 'rx-persistify';
      import { jsonFile } from 'rx-persistify/json-file';
      import { flushOnExit } from 'rx-persistify/node';
      const prefs = await persistify(jsonFile({ directory: './data-exit' })).withBatch({ intervalMs: 60_000 }).open('user-preferences');
      flushOnExit(prefs);
      prefs.set('theme', 'dark');
      process.kill(process.pid, 'SIGTERM');`;
    await expect(inProject('exit.mjs', code)).rejects.toMatchObject({ signal: 'SIGTERM', stderr: '' });
    expect(await saved('data-exit')).toEqual({ theme: 'dark' });
  });

  it('has only what is meant to be published', () => {
    const published = readdirSync(join(project, 'node_modules/rx-persistify'), { recursive: true, encoding: 'utf8' });
    expect(published.filter((path) => /(^|\/)(spec|demos|lib|build|node_modules)(\/|$)|\.tsbuildinfo$|\.spec\./.test(path.replaceAll('\\', '/')))).toEqual([]);
    for (const path of ['package.json', 'LICENSE', 'README.md', 'CHANGELOG.md', 'dist/index.js', 'dist/index.d.ts']) expect(published).toContain(path);
    const { exports } = JSON.parse(readFileSync(join(project, 'node_modules/rx-persistify/package.json'), 'utf8')) as { exports: Record<string, string | Record<string, string>> };
    const targets = Object.values(exports).flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)));
    for (const target of targets) expect(published, target).toContain(target.slice(2));
  });

  /** What is asked for, as it was written, when a program imports `entry`. */
  async function loadedBy(entry: string): Promise<string[]> {
    await writeFile(join(project, 'hooks.mjs'), resolveHooks);
    await rm(join(project, 'loaded.txt'), { force: true });
    await inProject('loading.mjs', `import { register } from 'node:module'; register('./hooks.mjs', import.meta.url); await import(${JSON.stringify(entry)});`);
    const loaded = readFileSync(join(project, 'loaded.txt'), 'utf8').trim().split('\n');
    return loaded.filter((specifier) => specifier !== entry);
  }

  async function saved(directory: string): Promise<unknown> {
    const code = `
      import { persistify } from 'rx-persistify';
      import { jsonFile } from 'rx-persistify/json-file';
      const store = await persistify(jsonFile({ directory: ${JSON.stringify(directory)} })).open('user-preferences');
      console.log(JSON.stringify(Object.fromEntries(store)));
      await store.close();`;
    return JSON.parse(await inProject('saved.mjs', code)) as unknown;
  }

  describe('in a browser', () => {
    let bundle: { readonly text: string; readonly metafile: Metafile };

    beforeAll(async () => {
      // esbuild refuses what a browser does not have: a `node:` import is an error there.
      const { outputFiles, metafile } = await build({ stdin: { contents: page, resolveDir: project }, bundle: true, platform: 'browser', format: 'iife', minify: true, write: false, metafile: true, logLevel: 'silent' });
      bundle = { text: outputFiles[0]?.text ?? '', metafile };
    });

    it('the core bundles without any Node module', () => {
      const imported = Object.values(bundle.metafile.inputs).flatMap(({ imports }) => imports.map(({ path, original }) => original ?? path));
      expect(imported.filter((specifier) => isBuiltin(specifier))).toEqual([]);
      expect(Object.keys(bundle.metafile.inputs).filter((input) => /better-sqlite3|providers\/(sqlite|json-file)|rx-persistify\/dist\/node\//.test(input))).toEqual([]);
    });

    it(`the core with memory, rxjs and all takes less than ${gzipBound / 1_000} kB minified and gzipped`, () => {
      const bytes = gzipSync(bundle.text, { level: 9 }).length;
      console.log(`the core in a browser: ${(bytes / 1_000).toFixed(1)} kB minified and gzipped`);
      expect(bytes).toBeGreaterThan(5_000);
      expect(bytes).toBeLessThan(gzipBound);
    });

    it('saves and streams with nothing but what browsers have', async () => {
      const told = await new Promise<unknown>((resolve, reject) => {
        const page = createContext({ ...browserGlobals, done: resolve, failed: reject });
        runInContext(bundle.text, page);
      });
      expect(JSON.parse(String(told))).toEqual({
        themes: [null, 'light', 'dark'],
        saved: [['theme'], ['fontSize']],
        reopened: [['theme', 'dark'], ['fontSize', 14]],
        absent: ['undefined', 'undefined', 'undefined', 'undefined'],
      });
    });

    it(`the core with remote, rxjs and all takes less than ${remoteGzipBound / 1_000} kB minified and gzipped`, async () => {
      const contents = "export { persistify } from 'rx-persistify'; export { remote } from 'rx-persistify/remote';";
      const { outputFiles } = await build({ stdin: { contents, resolveDir: project }, bundle: true, platform: 'browser', format: 'iife', globalName: 'page', minify: true, write: false, logLevel: 'silent' });
      const bytes = gzipSync(outputFiles[0]?.text ?? '', { level: 9 }).length;
      console.log(`the core with remote in a browser: ${(bytes / 1_000).toFixed(1)} kB minified and gzipped`);
      expect(bytes).toBeGreaterThan(gzipBound); // it is in it
      expect(bytes).toBeLessThan(remoteGzipBound);
    });

    it(`the core with indexed-db, idb, rxjs and all takes less than ${indexedDbGzipBound / 1_000} kB minified and gzipped, without any Node module`, async () => {
      const contents = "export { persistify } from 'rx-persistify'; export { flushWhenHidden, indexedDb } from 'rx-persistify/indexed-db';";
      const { outputFiles, metafile } = await build({ stdin: { contents, resolveDir: project }, bundle: true, platform: 'browser', format: 'iife', globalName: 'page', minify: true, write: false, metafile: true, logLevel: 'silent' });
      const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path, original }) => original ?? path));
      expect(imported).toContain('idb');
      expect(imported.filter((specifier) => isBuiltin(specifier))).toEqual([]);
      const bytes = gzipSync(outputFiles[0]?.text ?? '', { level: 9 }).length;
      console.log(`the core with indexed-db in a browser: ${(bytes / 1_000).toFixed(1)} kB minified and gzipped`);
      expect(bytes).toBeGreaterThan(gzipBound); // it is in it
      expect(bytes).toBeLessThan(indexedDbGzipBound);
    });

    it('follows a store over its feed with nothing but what browsers have', async () => {
      const { outputFiles, metafile } = await build({ stdin: { contents: remotePage, resolveDir: project }, bundle: true, platform: 'browser', format: 'iife', minify: true, write: false, metafile: true, logLevel: 'silent' });
      const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path, original }) => original ?? path));
      expect(imported.filter((specifier) => isBuiltin(specifier))).toEqual([]);
      const told = await new Promise<unknown>((resolve, reject) => {
        const page = createContext({ ...browserGlobals, ...fetchGlobals, location: { href: 'https://example.org/page' }, done: resolve, failed: reject });
        runInContext(outputFiles[0]?.text ?? '', page);
      });
      expect(JSON.parse(String(told))).toEqual({ themes: ['dark', 'light'], asked: ['https://example.org/feed?store=prefs'], connection: { state: 'connected' }, absent: ['undefined', 'undefined', 'undefined', 'undefined'] });
    });
  });
});

/** What a page has and a bare V8 has not, as far as the core may use it. */
const browserGlobals = { setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask, MessageChannel, TextEncoder, TextDecoder, AbortController, AbortSignal, DOMException, performance, crypto: globalThis.crypto, console };

/** What the feed and its other side use besides. */
const fetchGlobals = { URL, Headers, Request, Response, ReadableStream, fetch };

const remotePage = `
  import { memory, persistify } from 'rx-persistify';
  import { remote } from 'rx-persistify/remote';
  import { serveFeed } from 'rx-persistify/server';
  (async () => {
    const prefs = await persistify(memory()).open('prefs');
    prefs.set('theme', 'dark');
    const feed = serveFeed(prefs);
    const asked = [], themes = [];
    const ask = (request) => (asked.push(request.url), feed.fetch(request));
    const there = await persistify(remote({ url: '/feed', fetch: ask })).open('prefs');
    there.get$('theme').subscribe((theme) => {
      themes.push(theme);
      if (theme === 'dark') prefs.set('theme', 'light');
      else done(JSON.stringify({ themes, asked, connection: there.status.connection, absent: [typeof process, typeof setImmediate, typeof Buffer, typeof global] }));
    });
  })().catch(failed);
`;

const page = `
  import { memory, persistify } from 'rx-persistify';
  (async () => {
    const provider = memory();
    const prefs = await persistify(provider).withBatch({ size: 10, intervalMs: 5 }).open('prefs');
    const themes = [], saved = [];
    prefs.get$('theme').subscribe((theme) => themes.push(theme ?? null));
    prefs.saves$.subscribe(({ keys }) => saved.push(keys));
    prefs.set('theme', 'light');
    prefs.set('theme', 'dark');
    await prefs.flush();
    await prefs.setAndSave('fontSize', 14);
    await prefs.close();
    const again = await persistify(provider).open('prefs');
    const reopened = [...again];
    await again.close();
    done(JSON.stringify({ themes, saved, reopened, absent: [typeof process, typeof setImmediate, typeof Buffer, typeof global] }));
  })().catch(failed);
`;

const consumer = `
import { memory, persistify, SaveError, StoreClosedError, type Change, type Failure, type Provider, type Save, type Store, type ErrorCode } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { flushOnExit, type Closable, type ExitSignal, type FlushOnExitOptions, type Unsaved } from 'rx-persistify/node';
import { flushWhenHidden, indexedDb, type Flushable, type IndexedDbOptions } from 'rx-persistify/indexed-db';
import { sqlite } from 'rx-persistify/sqlite';
import { providerConformance } from 'rx-persistify/conformance';
import { remote } from 'rx-persistify/remote';
import { serveFeed, type FeedServer } from 'rx-persistify/server';
import type { Observable } from 'rxjs';

interface Prefs { theme: 'dark' | 'light'; fontSize: number }

const inPages: IndexedDbOptions = { durability: 'relaxed' };
const providers: readonly Provider[] = [indexedDb(inPages), remote({ url: 'https://example.org/feed', headers: { Authorization: 'Bearer …' } }), memory(), jsonFile({ directory: './data' }), sqlite({ file: './data/app.sqlite' })];
for (const provider of providers) {
  const stores = persistify(provider).withBatch({ size: 10, intervalMs: 50 }).withRetry({ maxAttempts: 3 }).throwOnFailure(false);
  await using prefs: Store<Prefs> = await stores.open<Prefs>('prefs', { signal: new AbortController().signal });
  const feed: FeedServer = serveFeed(prefs, { authorize: (request) => request.headers.has('Authorization'), cors: ['https://example.org'] });
  const answer: Response = await feed.fetch(new Request('https://example.org/feed'));
  console.log(answer.status, prefs.jsonOf('theme'), prefs.status.connection?.state);
  feed.close();
  const closables: Set<Closable> = new Set<Closable>([prefs, await stores.openCache('cache')]);
  const signals: readonly ExitSignal[] = ['SIGTERM', 'SIGHUP'];
  const options: FlushOnExitOptions = { deadlineMs: 1_000, signals, report: (unsaved: readonly Unsaved[]) => console.log(unsaved.map(({ store, unsaved, keys, error }) => [store, unsaved, keys, error.message])) };
  const takeBacks: (() => void)[] = [flushOnExit(prefs), flushOnExit([prefs]), flushOnExit(closables, options)];
  const flushables: Set<Flushable> = new Set<Flushable>([prefs, await stores.openCache('other')]);
  for (const takeBack of [...takeBacks, flushWhenHidden(prefs), flushWhenHidden(flushables)]) takeBack();
  const theme: 'dark' | 'light' | undefined = prefs.get('theme');
  const size$: Observable<number | undefined> = prefs.get$('fontSize');
  const isSaved: boolean = await prefs.setAndSave('fontSize', 14);
  const updated: number | undefined = prefs.update('fontSize', (size) => (size ?? 0) + 1);
  const result: string = prefs.transaction(() => { prefs.set('theme', 'dark'); return 'done'; });
  prefs.changes$.subscribe((change: Change<keyof Prefs, Prefs[keyof Prefs]>) => console.log(change.type, change.seq));
  prefs.saves$.subscribe((save: Save) => console.log(save.keys));
  prefs.errors$.subscribe((failure: Failure) => console.log(failure.error.code satisfies ErrorCode));
  for (const [key, value] of prefs) console.log(key satisfies keyof Prefs, value satisfies string | number);
  console.log(theme, size$, isSaved, updated, result, StoreClosedError, SaveError, providerConformance);
}
`;

const refused = `
import { memory, persistify } from 'rx-persistify';
import { flushWhenHidden, indexedDb } from 'rx-persistify/indexed-db';
import { flushOnExit } from 'rx-persistify/node';
const prefs = await persistify(memory()).open<{ theme: string; fontSize: number }>('prefs');
prefs.set('theme', 14); // refused
prefs.set('them', 'dark'); // refused
prefs.get('nothing'); // refused
prefs.transaction(async () => undefined); // refused
prefs.size = 3; // refused
persistify(memory()).withBatch({ sise: 10 }); // refused
flushOnExit(persistify(memory()).open('prefs')); // refused
flushOnExit(prefs, { signals: ['SIGKILL'] }); // refused
flushOnExit(prefs, { deadline: 5 }); // refused
flushWhenHidden(persistify(memory()).open('prefs')); // refused
indexedDb({ durability: 'full' }); // refused
`;

/** Writes down what is asked for, as it was written. Runs in a thread of its own. */
const resolveHooks = `
  import { appendFileSync } from 'node:fs';
  export async function resolve(specifier, context, next) {
    appendFileSync('loaded.txt', specifier + '\\n');
    return next(specifier, context);
  }
`;

function firstExample(markdown: string): string {
  const code = /^\x60{3}ts\n(.*?)^\x60{3}$/ms.exec(markdown)?.[1];
  if (code === undefined) throw new Error('The README has no block of TypeScript.');
  return code;
}

/** The same program as a CommonJS one, where nothing is awaited at the top. */
function asCommonJs(code: string): string {
  const imports = /^import (\{.*?\}) from ('.*?');$/gm;
  const head = [...code.matchAll(imports)].map(([, names = '', from = '']) => `const ${names} = require(${from});`);
  return `${head.join('\n')}\n(async () => {${code.replace(imports, '')}})();`;
}

/** What a program printed that ended in failure. */
function outputOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'stdout' in error ? String(error.stdout) : String(error);
}
