import { writeFile } from 'node:fs/promises';

import { chartOf } from './chart.ts';
import { explanations } from './explanations.ts';
import { sentenceOf } from './machine.ts';
import type { Extent } from './options.ts';
import { cellsOf, heads, noiseLine, summaryLine } from './report.ts';
import type { Result } from './result.ts';
import type { Run } from './run.ts';

const page = new URL('../../../spec/bench/README.md', import.meta.url);
const chart = new URL('../../../spec/bench/budgets.svg', import.meta.url);

const introduction = `# What it costs

\`\`\`
npm run bench -- --quick          # the budgets, in under three minutes
npm run bench                     # the same with more rounds
npm run bench -- --full           # and how cost grows with size, writers, watchers and distance
npm run bench -- --rows ingest    # rows whose names begin so; also --json FILE, --svg FILE
npm run bench -- --peers          # the same work with other packages: peers.md
npm run bench -- --full --write   # writes this page; --base FILE --rows hold: with these rows anew
\`\`\`

[Beside other packages](peers.md) it stands in a table of its own.

Each figure is the median of rounds in which the library and its limit took turns, in one process of their own; in brackets the middle half of the rounds. The *limit* is the same work, written as well as it can be without the library: the same values, the same durability, \`JSON.stringify\` and \`Map.set\` included. A *ratio* is the median of the ratios of neighbouring rounds, not the ratio of the medians. The *budget* is what the library sets itself.`;

const caveats = `## What the figures do not say

- They are of one machine and its disk. A ratio travels better than a figure, and neither travels to a disk whose flush takes ten times as long: there the two sides draw nearer, as both wait.
- A limit has no streams, retries, deadlines, transactions, versions, log or other processes. What is beyond 1.0x is what those cost; it is not waste, and not their worth.
- What one thread does alone is timed less the time in which it had no core; everything else is by the clock.
- The first seconds of a process, before its code is compiled, are not in them: until some thousands of writes were made one by one, each takes the processor three times as long.
- Values are small objects of JSON. Codecs, schemas and values of many members cost what they cost.
- PostgreSQL is on the same machine, so that it shares its cores, and the way to it is short; the rows with a distance put one between.`;

/** Writes the results page, and the chart beside it. */
export async function writePage({ machine, extent, rows, results, failed, later }: Run): Promise<void> {
  const picture = `![Measured figures against their budgets](budgets.svg)`;
  const laterText = later.map((part) => `The rows that begin with ${part.rows.join(', ')} were measured later: ${sentenceOf(part.machine)}`);
  const parts = [introduction, `${extentText[extent]}${rows.length === 0 ? '' : ` Only the rows that begin with ${rows.join(', ')}.`} ${sentenceOf(machine)}`, ...laterText, summaryLine(results), ...noiseLine(results), ...(failed.length === 0 ? [] : [`Rows that failed: ${failed.join(', ')}.`]), picture, ...tablesOf(results), ...reasonsOf(results), caveats];
  await writeFile(chart, chartOf(results));
  await writeFile(page, `${parts.join('\n\n')}\n`);
}

const extentText: Readonly<Record<Extent, string>> = { quick: 'A quick run.', usual: 'The budgets.', full: 'A full run.' };

function tablesOf(results: readonly Result[]): readonly string[] {
  const groups = [...new Set(results.map(({ group }) => group))];
  return groups.map((group) => {
    const lines = results.filter((result) => result.group === group).map((result) => {
      const [title = '', ours = '', limit = '', ...others] = cellsOf(result);
      const named = result.line.limit === undefined ? limit : `${limit}: ${result.line.limit}`;
      return `| ${[title, ours, named, ...others].join(' | ')} |`;
    });
    return [`## ${group}`, '', `| ${heads.join(' | ')} |`, '|---|--:|--:|--:|--:|---|', ...lines].join('\n');
  });
}

/** What is beyond its budget, and why; where several rows have one reason, it is said once. */
function reasonsOf(results: readonly Result[]): readonly string[] {
  const titles = new Map<string, string[]>();
  for (const { row, line, verdict } of results) {
    if (verdict !== 'not met') continue;
    const reason = explanations.get(row) ?? 'No profile has shown it yet.';
    titles.set(reason, [...(titles.get(reason) ?? []), line.title]);
  }
  if (titles.size === 0) return [];
  const items = [...titles].map(([reason, of]) => `- **${of.join('; ')}**: ${reason}`);
  return ['## What is beyond its budget, and why', items.join('\n')];
}
