import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { runCycles, type Report } from '../../crash/cycles.ts';
import type { Ground } from '../../crash/ground.ts';
import type { Tally } from '../form.ts';
import type { Cell } from './matrix.ts';

const build = fileURLToPath(new URL('../../../build/', import.meta.url));

/** The built program that is killed. */
export const writer = join(build, 'spec/crash/writer.js');

/** Where what a broken promise left behind is kept for whoever looks into it. */
export function evidenceOf(what: string, { column, random }: Cell): string {
  return join(build, 'evidence', `${what}-${column}-${process.pid}-${random.whole(0, 2 ** 31)}`);
}

/** Kills a writer so many times, on storage that outlives it, and looks at what is left after each. */
export async function campaign(cell: Cell, what: string, ground: Ground, cycles: number): Promise<Tally> {
  const { random, directory } = cell;
  const report = await runCycles({ ground, cycles, random, writer, directory, evidence: evidenceOf(what, cell) });
  if (report.violation !== undefined) throw new Error(textOf(report.violation));
  if (report.acknowledged === 0) throw new Error('Nothing was ever acknowledged, so nothing was tried.');
  const { cycles: tries, fresh, changes, acknowledged, ahead, told } = report;
  return { tries, acknowledged, changes, fresh, ahead, told, ...report.kills };
}

function textOf({ cycle, wrong, detail, kept }: NonNullable<Report['violation']>): string {
  return `cycle ${cycle}: ${wrong}: ${detail}\nkept: ${kept}`;
}
