import { join } from 'node:path';

import { build } from 'esbuild';

import { bundling, compile } from '../../demos/dashboard/angular.ts';

const root = join(import.meta.dirname, '..', '..');

/**
 * Compiles and bundles the program as the dashboard's page is; what is no part of Angular stays outside, so that the spec and it have
 * one copy. Resolves to the file.
 */
export async function buildProgram(): Promise<string> {
  const outfile = join(root, 'build', 'angular', 'program.js');
  await compile(join(import.meta.dirname, 'program'));
  await build({
    ...bundling,
    entryPoints: [join(root, 'build', 'angular', 'spec', 'angular', 'program', 'program.js')],
    outfile,
    platform: 'node',
    external: ['rx-persistify', 'rx-persistify/*', 'rxjs', 'rxjs/*'],
  });
  return outfile;
}
