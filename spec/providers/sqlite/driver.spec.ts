import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { describe, expect, it } from 'vitest';

import { checkVersion } from '../../../lib/providers/sqlite/connection.ts';
import { unfitDriver } from '../../../lib/providers/sqlite/driver.ts';
import { temporaryFile } from './bench.ts';

describe('better-sqlite3', () => {
  it.each([
    ['12.11.0', '20.19.0'], ['12.11.1', '20.20.2'], ['12.99.9', '22.1.0'], ['13.0.0', '22.0.0'], ['13.2.0', '24.1.0'],
  ])('%s fits Node %s', (version, node) => {
    expect(unfitDriver(version, node)).toBeUndefined();
  });

  it('is refused where it would end the process', () => {
    expect(unfitDriver('13.2.0', '20.20.2')).toBe('better-sqlite3 13.2.0 needs Node 22 or later, and this is Node 20.20.2: npm install better-sqlite3@12');
  });

  it('is refused where it is too old', () => {
    expect(unfitDriver('12.10.9', '20.20.2')).toBe('better-sqlite3 12.10.9 is too old, 12.11 is the least: npm install better-sqlite3@12');
    expect(unfitDriver('9.0.0', '24.0.0')).toContain('npm install better-sqlite3@13');
  });

  /** Opens a store in a program of its own, where `node_modules` is what `install` makes of it. */
  function runWith(install: (modules: string) => void): string {
    const root = dirname(temporaryFile());
    const modules = join(root, 'node_modules');
    const own = resolve(import.meta.dirname, '../../..');
    mkdirSync(join(modules, 'rx-persistify'), { recursive: true });
    for (const name of ['dist', 'package.json']) cpSync(join(own, name), join(modules, 'rx-persistify', name), { recursive: true });
    for (const name of ['zod', 'rxjs', 'fs-extra']) symlinkSync(join(own, 'node_modules', name), join(modules, name));
    install(modules);
    const program = `
      import { sqlite } from 'rx-persistify/sqlite';
      for (const worker of [true, false]) {
        await sqlite({ file: './store.sqlite', worker }).open('prefs', { writer: 'w', report() {} }).catch(({ code, kind, message }) => console.log(code, kind, message));
      }`;
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: root, encoding: 'utf8', timeout: 20_000 });
    expect(child.stderr).toBe('');
    expect(child.status).toBe(0);
    return child.stdout;
  }

  it('is asked for by its npm command when it is not installed', () => {
    const line = `PROVIDER halt The sqlite provider needs the package better-sqlite3, which is not installed: npm install better-sqlite3@${Number(process.versions.node.split('.')[0]) >= 22 ? 13 : 12}`;
    expect(runWith(() => undefined)).toBe(`${line}\n${line}\n`);
  });

  it.runIf(process.versions.node.startsWith('20.'))('is looked at before it is loaded', () => {
    const output = runWith(modules => {
      mkdirSync(join(modules, 'better-sqlite3'));
      writeFileSync(join(modules, 'better-sqlite3', 'package.json'), '{ "name": "better-sqlite3", "version": "13.2.0", "exports": "./index.js" }');
      writeFileSync(join(modules, 'better-sqlite3', 'index.js'), 'process.abort();');
    });
    expect(output).toContain('PROVIDER halt better-sqlite3 13.2.0 needs Node 22 or later');
  });

  it('tells how to mend it when its native part cannot be loaded', () => {
    const output = runWith(modules => {
      mkdirSync(join(modules, 'better-sqlite3'));
      writeFileSync(join(modules, 'better-sqlite3', 'package.json'), '{ "name": "better-sqlite3", "version": "12.11.1", "main": "index.js" }');
      writeFileSync(join(modules, 'better-sqlite3', 'index.js'), 'module.exports = class { constructor() { throw Object.assign(new Error("wrong NODE_MODULE_VERSION"), { code: "ERR_DLOPEN_FAILED" }); } };');
    });
    expect(output).toMatch(/^PROVIDER halt .*npm rebuild better-sqlite3/);
  });
});

describe('SQLite', () => {
  it.each(['3.51.3', '3.51.10', '3.53.2', '3.60.0', '4.0.0'])('%s is taken', version => {
    expect(() => checkVersion(version)).not.toThrow();
  });

  it.each(['3.51.2', '3.50.9', '3.7.0', '2.8.17', 'unknown'])('%s is refused, as it may lose commits', version => {
    expect(() => checkVersion(version)).toThrow(`SQLite ${version} can lose commits`);
  });
});
