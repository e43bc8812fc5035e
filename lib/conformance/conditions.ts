import type { DeleteMutation, SetMutation } from '../mutation.ts';
import { equal, equalContents, isAbove } from './assertions.ts';
import type { OpenDictionary } from './open-dictionary.ts';
import type { Chapter } from './suite.ts';

export const conditions: Chapter = {
  title: 'conditions',
  register({ claims, test }) {
    test('stores what expects an absent key where it is absent', async bench => {
      const dictionary = await bench.open();
      await expectStored(dictionary, { type: 'set', key: 'key', json: '1', expect: 0 });
      await dictionary.write({ type: 'delete', key: 'key' });
      await expectStored(dictionary, { type: 'set', key: 'key', json: '2', expect: 0 });
      await dictionary.write({ type: 'clear' });
      await expectStored(dictionary, { type: 'set', key: 'key', json: '3', expect: 0 });
      equalContents(await dictionary.texts(), new Map([['key', '3']]), 'the stored dictionary');
    });

    test('leaves out what expects an absent key where it is present', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key', 'null');
      await expectConflict(dictionary, { type: 'set', key: 'key', json: '1', expect: 0 });
      equalContents(await dictionary.texts(), new Map([['key', 'null']]), 'the stored dictionary');
    });

    test('compares with the version of the commit that set the key', async bench => {
      const dictionary = await bench.open();
      const first = await dictionary.set('key', '1');
      await dictionary.set('other', '0');
      const { version: second } = await expectStored(dictionary, { type: 'set', key: 'key', json: '2', expect: first });
      isAbove(second, first, 'the version of the second set');
      await expectConflict(dictionary, { type: 'set', key: 'key', json: '3', expect: first });
      await expectConflict(dictionary, { type: 'delete', key: 'key', expect: first });
      equalContents(await dictionary.texts(), new Map([['key', '2'], ['other', '0']]), 'the stored dictionary');
      await expectStored(dictionary, { type: 'delete', key: 'key', expect: second });
      equalContents(await dictionary.texts(), new Map([['other', '0']]), 'the stored dictionary');
    });

    test('compares with the version that `load` tells of the key', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key', '1');
      await dictionary.set('other', '0');
      const { version } = await dictionary.entry('key');
      await expectStored(dictionary, { type: 'set', key: 'key', json: '2', expect: version });
      await expectConflict(dictionary, { type: 'set', key: 'key', json: '3', expect: version });
    });

    test('leaves out what expects a version of an absent key', async bench => {
      const dictionary = await bench.open();
      const version = await dictionary.set('key', '1');
      await dictionary.write({ type: 'delete', key: 'key' });
      await expectConflict(dictionary, { type: 'set', key: 'key', json: '2', expect: version });
      await expectConflict(dictionary, { type: 'delete', key: 'key', expect: version });
      equal((await dictionary.load()).entries.size, 0, 'the number of entries');
    });

    test('does not take a key that was deleted and set again for the one before', async bench => {
      const dictionary = await bench.open();
      const version = await dictionary.set('key', '1');
      await dictionary.write({ type: 'delete', key: 'key' });
      await dictionary.set('key', '1');
      await expectConflict(dictionary, { type: 'set', key: 'key', json: '2', expect: version });
    });

    test('leaves out only what is in conflict', async bench => {
      const dictionary = await bench.open();
      await dictionary.write({ type: 'set', key: 'taken', json: '0' }, { type: 'set', key: 'deleted', json: '0' });
      const result = await dictionary.send(
        dictionary.batch(
          { type: 'set', key: 'one', json: '1' },
          { type: 'set', key: 'taken', json: '1', expect: 0 },
          { type: 'delete', key: 'deleted' },
          { type: 'delete', key: 'absent', expect: 99_999 },
          { type: 'set', key: 'two', json: '2', expect: 0 },
        ),
      );
      equal(result.leftOut.map(({ index, reason }) => `${index} ${reason}`).sort(), ['1 conflict', '3 conflict'], 'what was left out');
      equalContents(await dictionary.texts(), new Map([['taken', '0'], ['one', '1'], ['two', '2']]), 'the stored dictionary');
    });

    test('answers with the current version when nothing is left to commit', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key', '1');
      const { version } = await dictionary.load();
      equal((await expectConflict(dictionary, { type: 'set', key: 'key', json: '2', expect: 0 })).version, version, 'the version of the result');
      equal((await dictionary.load()).version, version, 'the version that `load` tells');
    });

    if (claims.read) {
      test('compares with the version that `read` tells of the key', async bench => {
        const dictionary = await bench.open();
        await dictionary.set('key', '1');
        await dictionary.set('other', '0');
        const [entry] = await dictionary.read(['key']);
        await expectStored(dictionary, { type: 'set', key: 'key', json: '2', expect: entry?.version ?? -1 });
        await expectConflict(dictionary, { type: 'set', key: 'key', json: '3', expect: entry?.version ?? -1 });
      });
    }

    if (claims.persistent) {
      test('compares with versions of before the last run', async bench => {
        const dictionary = await bench.open();
        await dictionary.set('other', '1');
        const before = await dictionary.set('key', '1');
        const reopened = await bench.reopen(dictionary);
        const { version } = await reopened.entry('key');
        const { version: after } = await expectStored(reopened, { type: 'set', key: 'key', json: '2', expect: version });
        isAbove(after, before, 'the version of a commit of the second run');
        await expectConflict(reopened, { type: 'set', key: 'key', json: '3', expect: version });
        await expectConflict(reopened, { type: 'set', key: 'other', json: '2', expect: 0 });
      });
    }
  },
};

async function expectStored(dictionary: OpenDictionary, mutation: SetMutation | DeleteMutation) {
  return dictionary.write(mutation);
}

async function expectConflict(dictionary: OpenDictionary, mutation: SetMutation | DeleteMutation) {
  const result = await dictionary.send(dictionary.batch(mutation));
  const answer = result.leftOut.map(({ index, reason }) => `${index} ${reason}`);
  equal(answer, ['0 conflict'], `what was left out of a ${mutation.type} that expects ${mutation.expect ?? 'nothing'}`);
  return result;
}
