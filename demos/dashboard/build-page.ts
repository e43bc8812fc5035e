// Builds the page of the dashboard, unless it is built already of the same sources: Angular's compiler ahead of time, then a bundle.
import { access, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';

import { build } from 'esbuild';

import { bundling, compile } from './angular.ts';
import { built, compiled, placeOfPage, project } from './place.ts';

const begun = performance.now();
const place = await placeOfPage();
if (!(await exists(place))) {
  console.log('Building the dashboard …');
  await compile(project);
  await bundle();
  await removeOthers();
  console.log(`Built the dashboard in ${((performance.now() - begun) / 1_000).toFixed(1)} s; it is kept until its sources change.`);
}

/** Appears whole or not at all, as somebody may serve it. */
async function bundle(): Promise<void> {
  await mkdir(built, { recursive: true });
  const making = await mkdtemp(join(built, 'making-'));
  try {
    await build({
      ...bundling,
      entryPoints: { main: join(compiled, 'dashboard', 'page', 'main.js'), styles: join(project, 'styles.css') },
      outdir: making,
      minify: true,
      platform: 'browser',
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
