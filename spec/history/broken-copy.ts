import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface Edit {
  /** Of the built package. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
}

/**
 * Does something with a copy of the project at `root` in which the built package is broken by `edits`.
 * @param parts files and folders that are copied, besides the package.
 */
export async function inBrokenCopy<T>(root: string, parts: readonly string[], edits: readonly Edit[], work: (directory: string) => Promise<T>): Promise<T> {
  const copy = await mkdtemp(join(tmpdir(), 'rx-persistify-mutant-'));
  try {
    for (const part of ['package.json', 'dist', ...parts]) {
      await mkdir(dirname(join(copy, part)), { recursive: true });
      await cp(join(root, part), join(copy, part), { recursive: true });
    }
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir');
    for (const edit of edits) await writeFile(join(copy, 'dist', edit.file), await edited(copy, edit));
    return await work(copy);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/**
 * The text of a file of the package built at `directory`, broken.
 * @throws Error if what is to be replaced is not there, or not only there: then nothing is known of what it should break.
 */
export async function edited(directory: string, { file, find, replace }: Edit): Promise<string> {
  const text = await readFile(join(directory, 'dist', file), 'utf8');
  const places = text.split(find).length - 1;
  if (places !== 1) throw new Error(`The mutant is out of date: dist/${file} has ${places} times: ${find}`);
  return text.replace(find, () => replace);
}
