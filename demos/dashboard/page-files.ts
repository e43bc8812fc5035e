import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

/** A file of the page, as it is sent. */
export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * The files of a page by the path of their address. They are few and small, so all are read beforehand: a request chooses among
 * them, and its path never becomes one of the file system. Rejects where the page has not been built.
 */
export async function readPage(directory: string): Promise<ReadonlyMap<string, PageFile>> {
  const names = await readdir(directory);
  const files = await Promise.all(
    names.map(async (name) => {
      const type = types[extname(name)] ?? 'application/octet-stream';
      return [name === 'index.html' ? '/' : `/${name}`, { type, body: await readFile(join(directory, name)) }] as const;
    }),
  );
  return new Map(files);
}
