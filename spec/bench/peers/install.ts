import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { Peer } from './peer.ts';

/** Outside of what is built, and of the lock file: a folder for each, so that one that cannot be had takes no other one along. */
const parent = new URL('../../../../build/bench-peers/', import.meta.url);
const patienceMs = 600_000;

/**
 * Imports by name from where it lies: ESM resolves from the importing file alone, and require not what has no CommonJS.
 */
const loader = 'export const load = (module) => import(module);\n';

export interface Installation {
  readonly folder: string;
  /** Why it could not be installed. */
  readonly failure?: string;
}

/** Installs a peer, unless this very version is there already. */
export async function install({ name, packages }: Peer): Promise<Installation> {
  const folder = fileURLToPath(new URL(`${name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}/`, parent));
  if (packages.length === 0) return { folder };
  const done = join(folder, 'installed.json');
  const wanted = JSON.stringify({ packages, node: process.version });
  if (existsSync(done) && (await readFile(done, 'utf8')) === wanted) return { folder };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true }\n');
  await writeFile(join(folder, 'load.mjs'), loader);
  try {
    // A native package may have to be built, for which npm asks the packages' own scripts.
    await promisify(execFile)('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--save-exact', ...packages], { timeout: patienceMs, maxBuffer: 1e8 });
    await writeFile(done, wanted);
    return { folder };
  } catch (error) {
    return { folder, failure: reasonOf(error) };
  }
}

/** The first thing that npm says, without where this machine has it. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && 'killed' in error && error.killed === true) return `it was not installed within ${patienceMs / 60_000} minutes`;
  const lines = text.split('\n').filter((line) => line.startsWith('npm error') && !/[\\/]/.test(line));
  return `it could not be installed: ${lines.slice(0, 2).map((line) => line.replace('npm error ', '')).join('; ') || 'npm failed'}`;
}
