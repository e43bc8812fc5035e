// Two processes on one SQLite file. There is to see: each hears what the other changes, live and in order; where both set the
// same key, the last to be saved wins and both agree; and what both want to add, exactly one of them gets.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

import { persistify } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

const width = 38;
const errands = ['apples', 'butter', 'candles', 'flour', 'sugar', 'yeast'];
const program = fileURLToPath(new URL('two-processes/person.js', import.meta.url));
const report = z.object({ has: z.record(z.string(), z.object({ text: z.string(), at: z.number() })), won: z.array(z.string()), heardAfterMs: z.array(z.number()) });

type Report = z.infer<typeof report>;

await inTemporaryDirectory(async (directory) => {
  const file = join(directory, 'shared.sqlite');
  const ann = start(file, 'ann', 'bob', 2);
  const bob = start(file, 'bob', 'ann', 2 + width);
  await Promise.all([next(ann), next(bob)]); // both have opened the file
  const play = async (part: string): Promise<readonly [Report, Report]> => {
    for (const person of [ann, bob]) person.send(part);
    const [ofAnn, ofBob] = await Promise.all([next(ann), next(bob)]);
    return [report.parse(ofAnn), report.parse(ofBob)];
  };

  heading('A shopping list of two. An arrow marks what one hears from the other:');
  console.log(`    ${'ann'.padEnd(width)}bob\n    ${'───'.padEnd(width)}───`);
  const [talked] = await play('talk');
  check('what was crossed out is gone, what was set is there', Object.keys(talked.has), ['milk', 'eggs']);

  heading('Both decide about dinner at the same moment:');
  const [annDecided, bobDecided] = await play('disagree');
  const dinner = annDecided.has['dinner']?.text;
  check(`in the end they agree: ${dinner ?? 'nothing'}`, [dinner === 'pizza' || dinner === 'pasta', bobDecided.has['dinner']?.text], [true, dinner]);

  heading('Both want all of six errands, by `addAndSave`; who gets one is away for a moment:');
  const [{ won: annGot }, { won: bobGot }] = await play('rush');
  check(`ann got ${annGot.length} and bob ${bobGot.length}: each errand has exactly one winner`, [...annGot, ...bobGot].sort(), errands);

  heading('When both have closed the list:');
  const ended = Promise.all([once(ann, 'exit'), once(bob, 'exit')]);
  const [annLeft, bobLeft] = await play('close');
  check('each had the same', annLeft.has, bobLeft.has);
  const list = await persistify(sqlite({ file })).open<Report['has']>('shopping');
  check('and that is what the file has', Object.fromEntries(list), annLeft.has);
  await list.close();
  const heard = [...annLeft.heardAfterMs, ...bobLeft.heardAfterMs].sort((left, right) => left - right);
  check('every change was heard within two seconds', (heard.at(-1) ?? Infinity) < 2_000, true);
  console.log(`  (of ${heard.length} changes, half were heard within ${heard[heard.length >> 1] ?? 0} ms of being made, all within ${heard.at(-1) ?? 0} ms)`);
  check('both processes have ended well', await ended, [[0, null], [0, null]]);
});

/** Starts one of the two; both write to this program's output, so that it is read in the order in which it happened. */
function start(file: string, name: string, other: string, column: number): ChildProcess {
  return fork(program, [file, name, other, String(column)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** The next message of `child`. */
function next(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve).once('exit', (code) => reject(new Error(`A process ended too early, with code ${code ?? 'none'}.`)));
  });
}
