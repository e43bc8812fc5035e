import type { Row } from '../row.ts';
import { awaited } from './awaited.ts';
import { deadlines } from './deadlines.ts';
import { eventLoops } from './event-loop.ts';
import { growths } from './growth.ts';
import { heaps } from './heap.ts';
import { hotKeys } from './hot-key.ts';
import { ingests } from './ingest.ts';
import { largeStores } from './large-stores.ts';
import { memoryWrites } from './memory-writes.ts';
import { processes } from './processes.ts';
import { memoryReads } from './reads.ts';

/** All that is measured, in the order of the table. */
export const rows: readonly Row[] = [...memoryWrites, ...memoryReads, ...ingests, ...awaited, ...largeStores, ...eventLoops, ...heaps, ...deadlines, ...growths, ...hotKeys, ...processes];
