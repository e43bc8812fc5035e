import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import pg from 'pg';

import { chunks, pairs, smallBytes, timed } from '../work.ts';
import type { Load, Peer, PeerPlace, PeerSession } from './peer.ts';

/** What one process finds of a peer. */
export interface PeerFigures {
  /** Milliseconds for the first 10,000 entries of a process. */
  readonly ingestMs: number;
  /** Microseconds for one of its first writes that are awaited, among those 10,000. */
  readonly writeUs: number;
  /** Milliseconds for 10,000 of the 50,000 entries that follow. */
  readonly laterIngestMs: number;
  /** Microseconds for one awaited write after three thousand of them. */
  readonly laterWriteUs: number;
  /** Milliseconds until all of a large store are in hand. */
  readonly openMs: number;
  readonly bytesOnDisk: number;
}

export interface PeerOrder {
  readonly peer: string;
  readonly folder: string;
  /** Of this round, and nothing in it. */
  readonly fresh: PeerPlace;
  /** Of all rounds; filled in the first one. */
  readonly large: PeerPlace;
  readonly largeKeys: number;
  readonly isFirst: boolean;
}

const ingested = 10_000;
const batch = 1_000;
const writes = 30;
const laterRounds = 5;
const writesBetween = 3_000;
/** What takes longer for its first 10,000, or for one write, is not asked for what would take minutes. */
const quickly = { ingestMs: 500, writeUs: 2_000 };

/** Gives each figure when it is found. */
export async function* measure(peer: Peer, load: Load, { fresh, large, largeKeys, isFirst }: PeerOrder): AsyncGenerator<Partial<PeerFigures>> {
  await mkdir(fresh.directory, { recursive: true });
  const session = await peer.open(fresh, load);
  const ingestMs = await ingest(session, 0);
  yield { ingestMs };
  const writeUs = await writeOneByOne(session, writes, 2);
  yield { writeUs };
  if (ingestMs < quickly.ingestMs && writeUs < quickly.writeUs) {
    let ms = 0;
    for (let round = 1; round <= laterRounds; round++) ms += await ingest(session, round);
    yield { laterIngestMs: ms / laterRounds };
    await writeOneByOne(session, writesBetween, 3);
    yield { laterWriteUs: await writeOneByOne(session, writes, 4) };
  }
  await session.close();
  if (!peer.isPersistent) return;
  if (isFirst) await fill(peer, load, large, largeKeys);
  yield { openMs: await opening(peer, load, large, largeKeys) };
  yield { bytesOnDisk: await (peer.needsPostgres === true ? bytesOfSchema(large) : bytesIn(large.directory)) };
}

/** The `round`-th 10,000 keys. */
function ingest(session: PeerSession, round: number): Promise<number> {
  const batches = chunks(pairs(round * ingested, (round + 1) * ingested, smallBytes, 1), batch);
  return timed(async () => {
    for (const some of batches) await session.writeMany(some);
  });
}

/** Microseconds a write. */
async function writeOneByOne(session: PeerSession, count: number, stamp: number): Promise<number> {
  const single = pairs(0, count, smallBytes, stamp);
  const ms = await timed(async () => {
    for (const pair of single) await session.writeOne(pair);
  });
  return (ms * 1e3) / count;
}

async function fill(peer: Peer, load: Load, place: PeerPlace, keys: number): Promise<void> {
  await mkdir(place.directory, { recursive: true });
  const session = await peer.open(place, load);
  // Those that write all of it each time would take minutes for batches of 1,000; how it is filled is not measured.
  for (const some of chunks(pairs(0, keys, smallBytes, 1), keys / 10)) for (const part of peer.needsPostgres === true ? chunks(some, batch) : [some]) await session.writeMany(part);
  await session.close();
}

async function opening(peer: Peer, load: Load, place: PeerPlace, count: number): Promise<number> {
  const keys = pairs(0, count, smallBytes, 1).map(([key]) => key);
  let session: Awaited<ReturnType<Peer['open']>> | undefined;
  let found = 0;
  const ms = await timed(async () => {
    session = await peer.open(place, load);
    found = await session.readAll(keys);
  });
  await session?.close();
  if (found !== count) throw new Error(`Of ${count} entries ${found} were read.`);
  return ms;
}

/** What the files take of the disk, with the rest of their last blocks. */
async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512;
  }
  return bytes;
}

async function bytesOfSchema({ postgresUrl, schema }: PeerPlace): Promise<number> {
  const client = new pg.Client(postgresUrl);
  await client.connect();
  const text = "SELECT sum(pg_total_relation_size(c.oid))::float8 AS bytes FROM pg_class AS c WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r'";
  const { rows } = await client.query<{ readonly bytes: number }>(text, [schema]);
  await client.end();
  return rows[0]?.bytes ?? NaN;
}
