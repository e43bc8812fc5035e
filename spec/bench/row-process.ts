// Runs one row, and answers with its rounds.
import process from 'node:process';

import { CleanUps } from './clean-ups.ts';
import { takeRounds } from './contest.ts';
import { rows } from './rows/index.ts';
import type { Order } from './run-rows.ts';

process.once('disconnect', () => process.exit()); // it has told all, or nobody is there any more
process.once('message', (message) => void run(message as Order)); // from our own parent

async function run({ row: name, allowance, scene }: Order): Promise<void> {
  const row = rows.find((one) => one.name === name);
  if (row === undefined) throw new Error(`There is no row ${name}.`);
  const cleanUps = new CleanUps();
  try {
    const found = await takeRounds(await row.prepare({ ...scene, defer: cleanUps.defer }), row, allowance);
    process.send?.(found);
  } finally {
    await cleanUps.run();
    process.disconnect();
  }
}
