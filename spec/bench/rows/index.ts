import type { Row } from '../row.ts';
import { awaited } from './awaited.ts';
import { eventLoops } from './event-loop.ts';
import { heaps } from './heap.ts';
import { ingests } from './ingest.ts';
import { largeStores } from './large-stores.ts';
import { memoryWrites } from './memory-writes.ts';
import { memoryReads } from './reads.ts';

/** All that is measured, in the order of the table. */
export const rows: readonly Row[] = [...memoryWrites, ...memoryReads, ...ingests, ...awaited, ...largeStores, ...eventLoops, ...heaps];
