import { equal, equalContents, isAtLeast } from './assertions.ts';
import type { Chapter } from './suite.ts';

export const transactions: Chapter = {
  title: 'transactions',
  register({ test }) {
    test('stores a transaction whole', async bench => {
      const dictionary = await bench.open();
      const old = await dictionary.set('old', '0');
      await dictionary.write(
        { type: 'set', key: 'one', json: '1', transaction: 1 },
        { type: 'delete', key: 'old', expect: old, transaction: 1 },
        { type: 'set', key: 'two', json: '2', expect: 0, transaction: 1 },
      );
      equalContents(await dictionary.texts(), new Map([['one', '1'], ['two', '2']]), 'the stored dictionary');
    });

    test('leaves a transaction out whole when one part is in conflict, and stores the others', async bench => {
      const dictionary = await bench.open();
      await dictionary.write({ type: 'set', key: 'taken', json: '0' }, { type: 'set', key: 'kept', json: '0' });
      const result = await dictionary.send(
        dictionary.batch(
          { type: 'set', key: 'alone', json: '1' },
          { type: 'set', key: 'one', json: '1', transaction: 1 },
          { type: 'set', key: 'two', json: '2', transaction: 2 },
          { type: 'set', key: 'taken', json: '1', expect: 0, transaction: 1 },
          { type: 'delete', key: 'kept', transaction: 1 },
          { type: 'set', key: 'three', json: '3', transaction: 2 },
          { type: 'set', key: 'also alone', json: '1' },
        ),
      );
      equal(result.leftOut.map(({ index }) => index).sort(), [1, 3, 4], 'the places of what was left out');
      equal(result.leftOut.find(({ index }) => index === 3)?.reason, 'conflict', 'the reason of the part in conflict');
      equalContents(
        await dictionary.texts(),
        new Map([['taken', '0'], ['kept', '0'], ['alone', '1'], ['two', '2'], ['three', '3'], ['also alone', '1']]),
        'the stored dictionary',
      );
    });

    test('leaves out a transaction whose first part holds and whose last does not', async bench => {
      const dictionary = await bench.open();
      const version = await dictionary.set('first', '0');
      const result = await dictionary.send(
        dictionary.batch(
          { type: 'set', key: 'first', json: '1', expect: version, transaction: 7 },
          { type: 'set', key: 'last', json: '1', expect: version, transaction: 7 },
        ),
      );
      equal(result.leftOut.map(({ index }) => index).sort(), [0, 1], 'the places of what was left out');
      isAtLeast(result.version, version, 'the version when nothing was committed');
      equalContents(await dictionary.texts(), new Map([['first', '0']]), 'the stored dictionary');
    });

    test('leaves out the clear of a transaction in conflict', async bench => {
      const dictionary = await bench.open();
      await dictionary.write({ type: 'set', key: 'taken', json: '0' }, { type: 'set', key: 'kept', json: '0' });
      const result = await dictionary.send(
        dictionary.batch(
          { type: 'clear', transaction: 1 },
          { type: 'set', key: 'taken', json: '1', expect: 99_999, transaction: 1 },
          { type: 'set', key: 'other', json: '1' },
        ),
      );
      equal(result.leftOut.map(({ index }) => index).sort(), [0, 1], 'the places of what was left out');
      equalContents(await dictionary.texts(), new Map([['taken', '0'], ['kept', '0'], ['other', '1']]), 'the stored dictionary');
    });

    test('stores a transaction that clears', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('old', '0');
      await dictionary.write({ type: 'clear', transaction: 1 }, { type: 'set', key: 'new', json: '1', transaction: 1 });
      equalContents(await dictionary.texts(), new Map([['new', '1']]), 'the stored dictionary');
    });

    test('decides each of 500 transactions by itself', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('taken', '0');
      const expected = new Map([['taken', '0']]);
      const mutations = Array.from({ length: 500 }, (_, index) => {
        if (index % 2 === 0) expected.set(`a ${index}`, '1').set(`b ${index}`, '1');
        return [
          { type: 'set', key: `a ${index}`, json: '1', transaction: index },
          { type: 'set', key: `b ${index}`, json: '1', expect: index % 2 === 0 ? 0 : 99_999, transaction: index },
        ] as const;
      });
      const result = await dictionary.send(dictionary.batch(...mutations.flat()));
      equal(result.leftOut.length, 500, 'the number of mutations left out');
      equalContents(await dictionary.texts(), expected, 'the stored dictionary');
    });
  },
};
