// Builds the page of the dashboard, unless it is built already of the same sources: Angular's compiler ahead of time, then a bundle.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';

import { build } from 'esbuild';

import { linkAngular } from './link-angular.ts';
import { built, compiled, placeOfPage, project } from './place.ts';

const begun = performance.now();
const place = await placeOfPage();
if (!(await exists(place))) {
  console.log('Building the dashboard …');
  await compile();
  await bundle();
  await removeOthers();
  console.log(`Built the dashboard in ${((performance.now() - begun) / 1_000).toFixed(1)} s; it is kept until its sources change.`);
}

/** With the types of its templates checked. */
async function compile(): Promise<void> {
  const compiler = createRequire(import.meta.url).resolve('@angular/compiler-cli/package.json');
  const ngc = join(dirname(compiler), 'bundles', 'src', 'bin', 'ngc.js');
  const [code] = (await once(spawn(process.execPath, [ngc, '-p', project], { stdio: 'inherit' }), 'close')) as [number | null];
  if (code !== 0) throw new Error(`Angular's compiler ended with code ${String(code)}.`);
}

/** Appears whole or not at all, as somebody may serve it. */
async function bundle(): Promise<void> {
  await mkdir(built, { recursive: true });
  const making = await mkdtemp(join(built, 'making-'));
  try {
    await build({
      entryPoints: { main: join(compiled, 'dashboard', 'page', 'main.js'), styles: join(project, 'styles.css') },
      outdir: making,
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      conditions: ['es2015'],
      define: { ngDevMode: 'false', ngJitMode: 'false', ngServerMode: 'false', ngI18nClosureMode: 'false' },
      plugins: [linkAngular],
      logLevel: 'warning',
    });
    for (const file of ['index.html', 'icon.svg']) await copyFile(join(project, file), join(making, file));
    await rename(making, place).catch(async (error: unknown) => {
      if (!(await exists(place))) throw error; // else somebody has built it meanwhile
    });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

/** Those of older sources; what somebody makes at this moment stays. */
async function removeOthers(): Promise<void> {
  const others = (await readdir(built)).filter((name) => name !== basename(place) && !name.startsWith('making-'));
  await Promise.all(others.map((name) => rm(join(built, name), { recursive: true, force: true })));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
