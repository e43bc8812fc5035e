import { writeFile } from 'node:fs/promises';

import { sentenceOf, type Machine } from '../machine.ts';
import { peerTable, type PeerResult } from './report.ts';

const page = new URL('../../../../spec/bench/peers.md', import.meta.url);

const introduction = `# Beside other packages

The same work, each package used as its documentation recommends, and what an awaited write outlives named beside its figures: a figure of a write that only a crash of the process is outlived by, or nothing, is no better than a slower one of a write that a power cut is outlived by; it is another thing.

\`\`\`
npm run bench -- --peers --write      # installs them in build/bench-peers, outside of the lock file; some minutes
npm run bench -- --peers --quick      # fewer rounds, and a tenth of the keys
npm run bench -- --peers --rows lmdb,sqlite
\`\`\`

Each figure is the median of rounds in which all took turns, each in a process of its own. *First 10,000 entries*: small objects, in batches of 1,000 where there are batches, each batch awaited, in a process that has just begun. *One awaited write*: one of 30, one after the other, in the store of those 10,000. *Later*: 10,000 of the 50,000 entries that come next, and one of 30 writes after three thousand others; of packages that would take minutes for them they are not asked. *Open and read*: until every value is in hand as an object, also where a package could leave them on the disk. *On disk*: that many keys, whole blocks.`;

const caveats = `An awaited write takes several times as long here as on [the page of budgets](README.md), for the same call: there it is timed once some thousands were made, here it is one of the first of a process that has just begun, whose code is not compiled yet: that, and not the disk, is most of the difference. *Later write* is nearer to that page. Who writes now and then from a process that lives for a moment has the figure of this page; a server has that of the other.

What lmdb and level are ahead by, as profiles show it: of one of the first awaited writes of a process (JSON file, 740 µs with the profiler) 170 µs are the wait for the disk, and 475 are code that runs for its first times, a third of it Node's, a quarter rxjs', the rest the library's own, where no function has more than 22 µs; level's write is one call into native code. *Later* the same write takes what lmdb's takes. Of each of the later 10,000 entries (8.0 µs with the profiler) 3.4 are the store itself: the walk over the value and its text, its places in maps, the telling of it; 1.4 remember the version of each key, in the log and in the file that it is folded into, 0.6 collect garbage, 0.5 wait for the disk. lmdb takes 2.8 for all of it: it keeps nothing in memory, tells nobody, and packs values into a buffer that another thread writes. So durable ingest is as fast as level's at first and faster later, and slower than lmdb's by what it does beside it.

What the figures do not say: a package that writes the whole file, or a file a key, is right for a hundred settings, and its figures for thousands say only where it ends. Some of these are databases with queries, indexes, replication or collections, and this library is none. What lies in memory once it is open is read at the speed of memory; what does not, costs memory nothing.`;

/** Writes the page of the peers. */
export async function writePeersPage(machine: Machine, results: readonly PeerResult[], largeKeys: number): Promise<void> {
  await writeFile(page, `${[introduction, sentenceOf(machine), peerTable(results, largeKeys), caveats].join('\n\n')}\n`);
}
