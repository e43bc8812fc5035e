import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const root = new URL('../../../', import.meta.url); // as seen from where this file is built

/**
 * Makes one file of each program that is started by the thousand, with the built package in it: to find and read its hundreds
 * of modules takes more of a machine than what the program then does. The worker of the sqlite provider lies beside, as it would for a user who bundles.
 */
export async function bundlePrograms(): Promise<void> {
  const at = (path: string): string => fileURLToPath(new URL(path, root));
  await build({
    entryPoints: { writer: at('build/spec/crash/writer.js'), worker: at('dist/providers/sqlite/worker.js') },
    outdir: at('build/programs'),
    bundle: true,
    external: ['better-sqlite3', 'pg'],
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
}
