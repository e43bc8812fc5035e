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
    const wanted = names.filter((name) => files.test(name)).sort();
    const texts = await Promise.all(wanted.map((name) => readFile(join(root, folder, name))));
    for (const [index, name] of wanted.entries()) hash.update(`${folder}/${name}\0`).update(texts[index] ?? '').update('\0');
  }
  return join(built, hash.digest('hex').slice(0, 16));
}
