import { figure } from '../report.ts';
import { summaryOf } from '../statistics.ts';
import type { PeerFigures } from './measure.ts';
import type { Peer } from './peer.ts';

/** What was found of a peer: medians of the rounds. */
export interface PeerResult extends Pick<Peer, 'name' | 'packages' | 'durability' | 'use'> {
  readonly rounds: number;
  readonly figures: Partial<PeerFigures>;
  /** Why figures are missing. */
  readonly failure?: string;
}

export function resultOf({ name, packages, durability, use }: Peer, rounds: readonly Partial<PeerFigures>[], failure: string | undefined): PeerResult {
  const medianOf = (of: (figures: Partial<PeerFigures>) => number | undefined): number | undefined => {
    const values = rounds.map(of).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : summaryOf(values).median;
  };
  const figures = {
    ingestMs: medianOf(({ ingestMs }) => ingestMs),
    writeUs: medianOf(({ writeUs }) => writeUs),
    laterIngestMs: medianOf(({ laterIngestMs }) => laterIngestMs),
    laterWriteUs: medianOf(({ laterWriteUs }) => laterWriteUs),
    openMs: medianOf(({ openMs }) => openMs),
    bytesOnDisk: medianOf(({ bytesOnDisk }) => bytesOnDisk),
  };
  const present = Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined)) as Partial<PeerFigures>; // its own members
  return { name, packages, durability, use, rounds: rounds.length, figures: present, ...(failure === undefined ? {} : { failure }) };
}

/** A Markdown table, read well enough in a terminal, too. */
export function peerTable(results: readonly PeerResult[], largeKeys: number): string {
  const rows = [
    ['', 'an awaited write outlives', 'first 10,000 entries, ms', 'one awaited write, µs', 'later 10,000, ms', 'later write, µs', `open and read ${largeKeys.toLocaleString('en')}, ms`, 'on disk, MB', 'used by'],
    ...results.map(({ name, packages, durability, use, figures, failure }) => [
      packages.length === 0 ? `**${name}**` : `${name} (${packages.join(', ')})`,
      durability,
      cell(figures.ingestMs),
      cell(figures.writeUs),
      cell(figures.laterIngestMs),
      cell(figures.laterWriteUs),
      cell(figures.openMs),
      cell(figures.bytesOnDisk === undefined ? undefined : figures.bytesOnDisk / 1e6),
      failure === undefined ? use : Object.keys(figures).length === 0 ? `not measured: ${failure}` : `${use}; ${failure}`,
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((text, column) => (isNumber(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0))).join(' | ')} |`);
  const rule = `|${widths.map((width, column) => (isNumber(column) ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`;
  return [lines[0], rule, ...lines.slice(1)].join('\n');
}

const isNumber = (column: number): boolean => column >= 2 && column <= 7;

function cell(value: number | undefined): string {
  return value === undefined ? '–' : figure(value, 'ms');
}
