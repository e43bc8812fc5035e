import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type BetterSqlite3 from 'better-sqlite3';

import { ProviderError } from '../../errors.ts';
import { findPeer, loadPeer } from '../load-peer.ts';

/** What is used of a better-sqlite3 statement. Structural, so that the public types need no package that a user may lack. */
export interface Statement {
  run(...parameters: unknown[]): { readonly changes: number };
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  iterate(...parameters: unknown[]): IterableIterator<unknown>;
  pluck(): Statement;
  raw(): Statement;
}

/** What is used of a better-sqlite3 connection. */
export interface Database {
  readonly inTransaction: boolean;
  prepare(sql: string): Statement;
  exec(sql: string): unknown;
  pragma(source: string): unknown;
  close(): unknown;
}

/** The class that better-sqlite3 exports. */
export type Driver = new (file: string, options: { readonly timeout: number; readonly fileMustExist: boolean }) => Database;

/**
 * Loads better-sqlite3, which is an optional peer: only once a dictionary is opened, and only if it fits this Node.
 * @throws ProviderError that names the npm command, if it is missing or unfit; of kind `retry`, if no file can be opened.
 */
export function loadDriver(): Driver {
  const problem = unfitDriver(installedVersion(), process.versions.node);
  if (problem !== undefined) throw new ProviderError(problem, { kind: 'halt' });
  try {
    const driver: Driver = loadPeer('better-sqlite3') as typeof BetterSqlite3;
    // The native part is loaded with the first connection only.
    new driver(':memory:', { timeout: 0, fileMustExist: false }).close();
    return driver;
  } catch (error) {
    if (error instanceof ProviderError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const message = `better-sqlite3 cannot be loaded (${reason}). \`npm rebuild better-sqlite3\` may mend it.`;
    throw new ProviderError(message, { kind: 'halt', cause: error });
  }
}

/** Why this version of better-sqlite3 (`undefined`: none is there) cannot be used with this Node. */
export function unfitDriver(version: string | undefined, nodeVersion: string): string | undefined {
  const nodeMajor = majorAndMinor(nodeVersion)[0];
  const command = `npm install better-sqlite3@${nodeMajor >= 22 ? '13' : '12'}`;
  if (version === undefined) return `The sqlite provider needs the package better-sqlite3, which is not installed: ${command}`;
  const [major, minor] = majorAndMinor(version);
  // better-sqlite3 13 on Node 20 is no error but a segmentation fault (ran: 13.2.0 on 20.20.2, exit 139).
  if (major >= 13 && nodeMajor < 22) return `better-sqlite3 ${version} needs Node 22 or later, and this is Node ${nodeVersion}: ${command}`;
  if (major < 12 || (major === 12 && minor < 11)) return `better-sqlite3 ${version} is too old, 12.11 is the least: ${command}`;
  return undefined;
}

/** The version that stands in better-sqlite3/package.json, read without loading anything native. */
function installedVersion(): string | undefined {
  const main = findPeer('better-sqlite3');
  if (main === undefined) return undefined;
  let folder = dirname(main);
  // The manifest itself cannot be resolved where a package's `exports` do not list it.
  for (;;) {
    const manifest = readManifest(join(folder, 'package.json'));
    if (manifest?.name === 'better-sqlite3') return manifest.version;
    const parent = dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

function readManifest(file: string): { readonly name: string; readonly version: string } | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof manifest !== 'object' || manifest === null || !('name' in manifest) || !('version' in manifest)) return undefined;
    return { name: String(manifest.name), version: String(manifest.version) };
  } catch {
    return undefined;
  }
}

function majorAndMinor(version: string): readonly [number, number] {
  const [major, minor] = version.split('.');
  return [Number(major), Number(minor)];
}
