// One of the two of two-processes.ts, in a process of its own. It is told which part begins; all else it hears from the file.
import { setTimeout } from 'node:timers/promises';
import { filter, firstValueFrom } from 'rxjs';

import { persistify } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

interface Note {
  readonly text: string;
  /** When it was written. */
  readonly at: number;
}

const [, , file = '', me = '', other = '', column = ''] = process.argv;
const list = await persistify(sqlite({ file })).open<Record<string, Note>>('shopping');
const heardAfterMs: number[] = [];
const won: string[] = [];

list.changes$.subscribe((change) => {
  if (change.type === 'clear') return;
  const isHeard = change.origin === 'remote';
  const afterMs = isHeard && change.type === 'set' ? Date.now() - change.value.at : undefined;
  if (afterMs !== undefined) heardAfterMs.push(afterMs);
  const what = change.type === 'set' ? `${change.key}: ${change.value.text}` : `${change.key} is crossed out`;
  console.log(`${' '.repeat(Number(column))}${isHeard ? '←' : ' '} ${what}${afterMs === undefined ? '' : `  (${afterMs} ms)`}`);
});

const note = (text: string): Note => ({ text, at: Date.now() });
const hear = (key: string, text?: string): Promise<unknown> => firstValueFrom(list.get$(key).pipe(filter((heard) => heard?.text === text)));

const parts: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Each waits for what the other does. */
  async talk() {
    if (me === 'ann') {
      await list.setAndSave('milk', note('two bottles'));
      await list.setAndSave('bread', note('a loaf'));
      await hear('milk', 'in the basket');
      await list.deleteAndSave('bread');
      await hear('eggs', 'six');
    } else {
      await hear('bread', 'a loaf');
      await list.setAndSave('milk', note('in the basket'));
      await hear('bread', undefined);
      await list.setAndSave('eggs', note('six'));
    }
  },

  /** Both set the same key at once: plainly, so that each has its own for a while, until it is saved. */
  async disagree() {
    list.set('dinner', note(me === 'ann' ? 'pizza' : 'pasta'));
    await list.flush();
    // Commits are heard in their order: who has heard this, has heard what the other did before.
    await list.setAndSave(me, note('has decided'));
    await hear(other, 'has decided');
  },

  /** Both want every errand, one after the other; who has got one is away for a moment. */
  async rush() {
    for (const errand of ['flour', 'butter', 'sugar', 'yeast', 'apples', 'candles']) {
      if (!(await list.addAndSave(errand, note(`${me} fetches it`)))) continue;
      won.push(errand);
      await setTimeout(15);
    }
  },

  async close() {
    await list.close();
  },
};

process.on('message', (part) => {
  void parts[String(part)]?.().then(() => {
    process.send?.({ has: Object.fromEntries(list), won, heardAfterMs });
    if (part === 'close') process.disconnect();
  });
});
process.send?.('ready');
