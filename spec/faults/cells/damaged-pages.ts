import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { CorruptDataError } from 'rx-persistify';
import { postgres } from 'rx-persistify/postgres';
import { expect } from 'vitest';

import type { Trial } from './matrix.ts';
import { openingOf, wordsOf } from './opening.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

/** Bits of a table's pages flipped in the server's own files: its checksums notice each, and the store is refused. */
export function pagesFlipped(storages: Storages): Trial {
  return async (cell) => {
    const { server } = storages;
    const schemas: string[] = [];
    const files: string[] = [];
    const [{ data_directory: data } = {}] = await server.sql('SHOW data_directory');
    for (let count = 0; count < cell.times(20, 400); count++) {
      const schema = server.freshSchema();
      const subject = await Subject.open({ provider: postgres({ connection: server.url, schema }), random: cell.random });
      await subject.live(30);
      await subject.close();
      const [{ path } = {}] = await server.sql(`SELECT pg_relation_filepath('${schema}.survivor') AS path`);
      schemas.push(schema);
      files.push(join(String(data), String(path)));
    }
    await server.server.stop();
    for (const path of files) await flipBit(path, cell.random.next(), cell.random.whole(0, 7));
    await server.server.start();
    for (const schema of schemas) {
      const opening = await openingOf(postgres({ connection: server.url, schema }));
      expect(opening.isRefused, wordsOf(opening)).toBe(true);
      if (opening.isRefused) expect(opening.error, wordsOf(opening)).toBeInstanceOf(CorruptDataError);
    }
    return { tried: schemas.length, refused: schemas.length };
  };
}

async function flipBit(path: string, place: number, bit: number): Promise<void> {
  const at = Math.floor(place * (await stat(path)).size);
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([byte.readUInt8(0) ^ (1 << bit)]), 0, 1, at);
  await file.close();
}
