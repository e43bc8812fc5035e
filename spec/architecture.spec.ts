import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface SourceFile {
  /** Within `lib`. */
  readonly path: string;
  readonly text: string;
  /** Files of the library, within `lib`. */
  readonly imports: readonly string[];
  readonly packages: readonly string[];
}

const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .map(sourceFile);

/** Each may import those before it and its own, and nothing that stands behind it. A file of `lib` that none names is `store`'s. */
const layers: readonly (readonly string[])[] = [
  ['errors.ts', 'mutation.ts', 'change.ts', 'json-value.ts', 'key.ts', 'aborted.ts', 'check-options.ts'],
  ['providers/provider.ts'],
  ['providers/'],
  ['streams/'],
  ['options.ts', 'call-options.ts', 'settings.ts', 'value-format.ts'],
  ['store'],
  ['persistify.ts'],
  ['index.ts'],
];
const storeLayer = layers.findIndex((names) => names[0] === 'store');

/** What several providers of Node have in common: when to look whether another process has committed to a file, how a driver is loaded, and how a directory is made that outlives a power cut; learned by measuring, and not to be had twice. */
const forNode = ['providers/file-signs.ts', 'providers/load-peer.ts', 'providers/make-directory.ts'];
/** What a concrete provider may know of the library: the contract, how options are checked, and what those of databases have in common. */
const contract = ['errors.ts', 'mutation.ts', 'change.ts', 'check-options.ts', 'aborted.ts', 'providers/provider.ts', 'providers/apply-batch.ts', 'providers/packed-batch.ts', 'providers/left-out.ts', 'providers/left-out-text.ts', 'providers/subscriptions.ts', 'providers/shared-access.ts', 'providers/log-place.ts', ...forNode];
const providerFolders = [...new Set(files.flatMap(({ path }) => folderOf(path) ?? []))].filter((folder) => folder.startsWith('providers/'));
const core = files.filter(({ path }) => folderOf(path) === undefined && !path.startsWith('conformance/') && !forNode.includes(path));

/** Packages that belong to one provider. */
const drivers: Readonly<Record<string, string>> = { 'better-sqlite3': 'providers/sqlite/', pg: 'providers/postgres/', idb: 'providers/indexed-db/', 'fs-extra': 'providers/json-file/' };

describe('imports', () => {
  it('are read at all', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(imports('index.ts')).toContain('persistify.ts');
    expect(imports('providers/provider.ts')).toEqual(['change.ts', 'errors.ts', 'mutation.ts']);
    expect(core.flatMap(({ packages }) => packages)).toContain('rxjs');
  });

  it('point one way: errors, mutation <- provider <- streams <- options <- store <- persistify <- index', () => {
    const wrong = core.flatMap(({ path, imports }) => imports.filter((imported) => layerOf(imported) > layerOf(path)).map((imported) => `${path} imports ${imported}`));
    expect(wrong).toEqual([]);
  });

  it('make no cycles', () => {
    expect(cycles()).toEqual([]);
  });

  it.each(providerFolders)('of %s are provider, mutation, errors and its own folder', (folder) => {
    const own = files.filter(({ path }) => path.startsWith(folder));
    const wrong = own.flatMap(({ path, imports }) => imports.filter((imported) => !imported.startsWith(folder) && !contract.includes(imported)).map((imported) => `${path} imports ${imported}`));
    expect(wrong).toEqual([]);
  });

  it('of node/ are errors, the types of the store, Node and its own folder, and nobody imports it', () => {
    const own = files.filter(({ path }) => path.startsWith('node/'));
    expect(own.map(({ path }) => path)).toContain('node/index.ts');
    const wrong = own.flatMap(({ path, imports }) => imports.filter((imported) => !imported.startsWith('node/') && !['errors.ts', 'store.ts'].includes(imported)).map((imported) => `${path} imports ${imported}`));
    expect(wrong).toEqual([]);
    expect(own.filter(({ text }) => /^import (?!type )[^;]*store\.ts'/m.test(text)).map(({ path }) => path)).toEqual([]);
    expect(own.flatMap(({ packages }) => packages).filter((name) => !name.startsWith('node:'))).toEqual([]);
    expect(files.filter(({ path, imports }) => !path.startsWith('node/') && imports.some((imported) => imported.startsWith('node/'))).map(({ path }) => path)).toEqual([]);
  });

  it('of server/ are errors, how options are checked, streams, the types of changes and its own folder, and nobody imports it', () => {
    const own = files.filter(({ path }) => path.startsWith('server/'));
    expect(own.map(({ path }) => path)).toContain('server/index.ts');
    const allowed = ['errors.ts', 'check-options.ts', 'aborted.ts', 'change.ts', 'streams/macrotask.ts', 'streams/quiet-timer.ts'];
    const wrong = own.flatMap(({ path, imports }) => imports.filter((imported) => !imported.startsWith('server/') && !allowed.includes(imported)).map((imported) => `${path} imports ${imported}`));
    expect(wrong).toEqual([]);
    expect(files.filter(({ path, imports }) => !path.startsWith('server/') && imports.some((imported) => imported.startsWith('server/'))).map(({ path }) => path)).toEqual([]);
  });

  it.each([
    ['server/', []],
    ['providers/remote/', []],
    ['providers/indexed-db/', ['idb']],
  ])('of %s are no Node module, as it runs wherever its platform is', (folder, own) => {
    const packages = files.filter(({ path }) => path.startsWith(folder)).flatMap((file) => file.packages);
    expect([...new Set(packages)].sort()).toEqual([...own, 'rxjs', 'zod/mini']);
  });

  it('of the conformance suite are those of a provider, and no runner', () => {
    const suite = files.filter(({ path }) => path.startsWith('conformance/'));
    expect([...new Set(suite.flatMap(({ imports }) => imports))].filter((path) => !path.startsWith('conformance/') && (forNode.includes(path) || !contract.includes(path)))).toEqual([]);
    expect([...new Set(suite.flatMap(({ packages }) => packages))]).toEqual(['rxjs']);
  });

  it('of a concrete provider come from index alone, and only for memory', () => {
    const wrong = core.flatMap(({ path, imports }) => imports.filter((imported) => imported.startsWith('providers/') && imported !== 'providers/provider.ts').map((imported) => `${path} <- ${imported}`));
    expect(wrong.filter((found) => !found.startsWith('providers/'))).toEqual(['index.ts <- providers/memory.ts']);
  });

  it('of the core are no Node module, and few packages', () => {
    expect([...new Set(core.flatMap(({ packages }) => packages))].sort()).toEqual(['@standard-schema/spec', 'rxjs', 'zod/mini']);
  });

  it('of a driver stand in its own provider alone', () => {
    const wrong = files.flatMap(({ path, packages }) => packages.filter((name) => !path.startsWith(drivers[name] ?? '')).map((name) => `${path} imports ${name}`));
    expect(wrong).toEqual([]);
  });

  it('of Node are named node:', () => {
    expect(files.flatMap(({ packages }) => packages).filter((name) => builtinModules.includes(name))).toEqual([]);
  });
});

describe.each(['index.ts', 'node/index.ts', 'server/index.ts', 'providers/remote/index.ts', 'providers/indexed-db/index.ts'])('%s', (index) => {
  it('has named exports and nothing else', () => {
    const { statements } = ts.createSourceFile('index.ts', text(index), ts.ScriptTarget.Latest);
    expect(statements).not.toEqual([]);
    const isNamedExport = (statement: ts.Statement): boolean => ts.isExportDeclaration(statement) && statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause);
    expect(statements.filter((statement) => !isNamedExport(statement))).toEqual([]);
  });
});

describe('sideEffects: false', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { sideEffects: unknown; exports: Record<string, unknown> };
  const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json');

  it('is claimed', () => {
    expect(manifest.sideEffects).toBe(false);
    expect(entries).toEqual(expect.arrayContaining(['.', './json-file', './sqlite', './server', './remote', './indexed-db', './node', './conformance']));
  });

  it.each(entries)('is true of %s: importing it touches no global and starts nothing', async (entry) => {
    const name = `rx-persistify${entry.slice(1)}`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', touched, name], { cwd: root });
    expect(JSON.parse(stdout)).toEqual([]);
  });
});

/**
 * Prints which globals another program would find changed. What we use is loaded before, as it answers for itself: packages,
 * Node's globals, which are made when they are first read, and its worker_threads, which wraps process.chdir.
 */
const touched = String.raw`
await import('rxjs'); await import('zod/mini'); await import('node:worker_threads');
for (const name of Object.getOwnPropertyNames(globalThis)) void globalThis[name];
const holders = () => {
  const found = new Map([['globalThis', globalThis], ['process', process]]);
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    const value = Object.getOwnPropertyDescriptor(globalThis, name).value;
    if (typeof value !== 'function' && (typeof value !== 'object' || value === null)) continue;
    found.set(name, value);
    if (typeof value === 'function' && value.prototype) found.set(name + '.prototype', value.prototype);
  }
  return found;
};
const state = () => {
  const seen = new Map();
  for (const [holder, object] of holders()) {
    for (const key of Reflect.ownKeys(object)) {
      const { value, get, set } = Object.getOwnPropertyDescriptor(object, key);
      seen.set(holder + ' ' + String(key), { value: typeof value === 'object' || typeof value === 'function' || typeof value === 'string' ? value : undefined, get, set });
    }
  }
  for (const event of process.eventNames()) seen.set('listeners of ' + String(event), { value: process.listenerCount(event) });
  seen.set('resources', { value: process.getActiveResourcesInfo().sort().join() });
  return seen;
};
state();
const before = state();
await import(process.argv[1]);
const after = state();
const differing = [...new Set([...before.keys(), ...after.keys()])].filter((name) => {
  const [left, right] = [before.get(name), after.get(name)];
  return left === undefined || right === undefined || ['value', 'get', 'set'].some((part) => !Object.is(left[part], right[part]));
});
console.log(JSON.stringify(differing));
`;

function sourceFile(path: string): SourceFile {
  const text = readFileSync(join(root, 'lib', path), 'utf8');
  const names = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
  return {
    path,
    text,
    imports: names.filter((name) => name.startsWith('.')).map((name) => normalize(join(dirname(path), name)).replaceAll('\\', '/')),
    packages: names.filter((name) => !name.startsWith('.')),
  };
}

function imports(path: string): readonly string[] {
  return files.find((file) => file.path === path)?.imports ?? [];
}

function text(path: string): string {
  return files.find((file) => file.path === path)?.text ?? '';
}

/** The folder that is an entry point of its own: `providers/sqlite/`, `node/`, `server/`. */
function folderOf(path: string): string | undefined {
  return /^(providers\/[^/]+|node|server)\//.exec(path)?.[0];
}

function layerOf(path: string): number {
  const exact = layers.findIndex((names) => names.includes(path));
  if (exact >= 0) return exact;
  const folder = layers.findIndex((names) => names.some((name) => name.endsWith('/') && path.startsWith(name)));
  return folder >= 0 ? folder : storeLayer;
}

/** One path for each import that leads back to where it started. */
function cycles(): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push([...trail.slice(at), path].join(' -> '));
    if (at >= 0 || done.has(path)) return;
    for (const imported of imports(path)) visit(imported, [...trail, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return found;
}
