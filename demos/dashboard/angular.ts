import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import type { BuildOptions } from 'esbuild';

import { linkAngular } from './link-angular.ts';

/** Angular's compiler, ahead of time, on a folder with a tsconfig.json; the types of templates are checked, too. */
export async function compile(project: string): Promise<void> {
  const compiler = createRequire(import.meta.url).resolve('@angular/compiler-cli/package.json');
  const ngc = join(dirname(compiler), 'bundles', 'src', 'bin', 'ngc.js');
  const [code] = (await once(spawn(process.execPath, [ngc, '-p', project], { stdio: 'inherit' }), 'close')) as [number | null];
  if (code !== 0) throw new Error(`Angular's compiler ended with code ${String(code)}.`);
}

/** How esbuild makes one file of what it has compiled and of Angular's packages, without what serves development. */
export const bundling = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  conditions: ['es2015'],
  define: { ngDevMode: 'false', ngJitMode: 'false', ngServerMode: 'false', ngI18nClosureMode: 'false' },
  plugins: [linkAngular],
  logLevel: 'warning',
} satisfies BuildOptions;
