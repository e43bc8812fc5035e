import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that this program was built in: it runs from build/demos/dashboard. */
const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Where Angular's compiler finds the page, and where all that is built of it lies. */
export const project = join(root, 'demos', 'dashboard', 'page');
export const compiled = join(root, 'build', 'page');
export const built = join(root, 'build', 'dashboard');

/** What the page is made of, and what makes it; the lock file stands for all packages. */
const sources = [
  { folder: 'demos/dashboard', files: /\.(ts|json|html|css|svg)$/ },
  { folder: 'demos/telemetry', files: /\.ts$/ },
  { folder: 'dist', files: /\.js$/ },
  { folder: '.', files: /^(tsconfig|package-lock)\.json$/ },
];

/** Where the page lies that is built of the sources as they are now, if it has been built. */
export async function placeOfPage(): Promise<string> {
  const hash = createHash('sha256');
  for (const { folder, files } of sources) {
    const names = await readdir(join(root, folder), { recursive: folder !== '.' });
    for (const name of names.filter((each) => files.test(each)).sort()) hash.update(`${folder}/${name}\0`).update(await readFile(join(root, folder, name)));
  }
  return join(built, hash.digest('hex').slice(0, 16));
}
