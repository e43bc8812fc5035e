import { readFile, writeFile } from 'node:fs/promises';
import { arch, cpus, platform, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

import { columns } from './form.ts';
import { linesOf } from './report.ts';
import type { Result, Run } from './result.ts';

const readme = fileURLToPath(new URL('../../../spec/faults/README.md', import.meta.url));
const [begin, end] = ['<!-- the table -->', '<!-- the end of the table -->'] as const;

/** Puts the table of a run into spec/faults/README.md. */
export async function writeReadme(run: Run): Promise<void> {
  const text = await readFile(readme, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`spec/faults/README.md has no place between ${begin} and ${end}.`);
  await writeFile(readme, `${before}${begin}\n${markdownOf(run)}\n${end}${after}`);
}

/** The matrix as a Markdown table, with when and where it was run. */
export function markdownOf(run: Run): string {
  const { seed, isLong, node, elapsedMs, results } = run;
  const machine = `${platform()} ${arch()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  const when = `The ${isLong ? 'long' : 'short'} form, ${new Date().toISOString().slice(0, 10)}, Node ${node.slice(1)}, ${machine}, seed ${seed}, ${Math.round(elapsedMs / 1_000)} s.`;
  const reasons: string[] = [];
  const rows: string[] = [];
  let current = 0;
  for (const { row, title, fault, cells } of linesOf(results)) {
    if (row !== current) rows.push(`| **${row}** | **${title}** | | | | |`);
    current = row;
    rows.push(`| | ${escaped(fault)} | ${columns.map((column) => cellOf(cells.get(column), reasons)).join(' | ')} |`);
  }
  const notes = reasons.map((reason, index) => `${index + 1}. ${escaped(reason)}`);
  return [when, '', `| row | fault | ${columns.join(' | ')} |`, '|---|---|--:|--:|--:|--:|', ...rows, '', 'Where a fault cannot occur:', '', ...notes].join('\n');
}

/** How much was tried and held; a number of a note where it cannot occur. */
function cellOf(result: Result | undefined, reasons: string[]): string {
  if (result === undefined) return '';
  if (result.state === 'absent') {
    const known = reasons.indexOf(result.detail);
    return `– (${known === -1 ? reasons.push(result.detail) : known + 1})`;
  }
  if (result.state !== 'held') return `**${result.state}**`;
  const [tried] = Object.entries(result.tally);
  return tried === undefined ? 'held' : `${tried[1].toLocaleString('en')} ${tried[0]}`;
}

function escaped(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('<', '&lt;');
}
