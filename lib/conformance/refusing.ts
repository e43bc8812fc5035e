import { equal, equalContents, isAbove } from './assertions.ts';
import { numberedSets } from './batches.ts';
import type { Chapter } from './suite.ts';

export const refusing: Chapter = {
  title: 'refusing',
  register({ claims, refusable, test }) {
    if (refusable === undefined) return;

    test('leaves out the one of a thousand that can never be stored, and says why', async bench => {
      const dictionary = await bench.open();
      const sets = [...numberedSets(999)];
      const expected = new Map(sets.map(({ key, json }) => [key, json]));
      sets.splice(500, 0, { type: 'set', ...refusable });
      const { leftOut } = await dictionary.send(dictionary.batch(...sets));
      equal(leftOut.map(({ index, reason }) => `${index} ${reason}`), ['500 refused'], 'what was left out');
      isAbove(leftOut[0]?.message.length ?? 0, 0, 'the length of the message');
      equalContents(await dictionary.texts(), expected, 'the stored dictionary');
      if (!claims.persistent) return;
      equalContents(await (await bench.reopen(dictionary)).texts(), expected, 'the reopened dictionary');
    });

    test('leaves out the transaction of what can never be stored', async bench => {
      const dictionary = await bench.open();
      const { leftOut } = await dictionary.send(
        dictionary.batch(
          { type: 'set', key: 'part', json: '1', transaction: 1 },
          { type: 'set', ...refusable, transaction: 1 },
          { type: 'set', key: 'other part', json: '1', transaction: 2 },
          { type: 'set', key: 'alone', json: '1' },
        ),
      );
      equal(leftOut.map(({ index }) => index).sort(), [0, 1], 'the places of what was left out');
      equal(leftOut.find(({ index }) => index === 1)?.reason, 'refused', 'the reason of what can never be stored');
      equalContents(await dictionary.texts(), new Map([['other part', '1'], ['alone', '1']]), 'the stored dictionary');
    });

    test('goes on after a refusal, and answers it the same again', async bench => {
      const dictionary = await bench.open();
      const batch = dictionary.batch({ type: 'set', ...refusable });
      const first = await dictionary.send(batch);
      equal(first.leftOut.map(({ reason }) => reason), ['refused'], 'what was left out');
      equal((await dictionary.send(batch)).leftOut.map(({ reason }) => reason), ['refused'], 'what the retry answers to be left out');
      await dictionary.set('key', '1');
      equalContents(await dictionary.texts(), new Map([['key', '1']]), 'the stored dictionary');
    });
  },
};
