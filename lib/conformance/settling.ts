import type { BatchResult } from '../mutation.ts';
import { equal, equalContents, isAbove } from './assertions.ts';
import { leftOutOf } from './open-dictionary.ts';
import type { Chapter } from './suite.ts';

/** A batch whose answer was lost is sent again under its number: it must not happen twice, and must not undo what came after it. */
export const settling: Chapter = {
  title: 'settling',
  register({ claims, test }) {
    test('answers the same when a batch comes again, and does not apply it again', async bench => {
      const dictionary = await bench.open();
      const batch = dictionary.batch({ type: 'set', key: 'key', json: '1' }, { type: 'delete', key: 'absent' });
      const first = await dictionary.send(batch);
      const { version } = await dictionary.load();
      equalResults(await dictionary.send(batch), first);
      equalResults(await dictionary.send(batch), first);
      equal((await dictionary.load()).version, version, 'the version after the retries');
    });

    test('answers a conditional write that comes again as stored, though its condition holds no more', async bench => {
      const dictionary = await bench.open();
      const version = await dictionary.set('count', '1');
      const batch = dictionary.batch({ type: 'set', key: 'count', json: '2', expect: version }, { type: 'set', key: 'new', json: '1', expect: 0 });
      const first = await dictionary.send(batch);
      equal(first.leftOut, [], 'what was left out at first');
      equalResults(await dictionary.send(batch), first);
    });

    test('answers the same conflicts when a batch comes again', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('taken', '0');
      const batch = dictionary.batch(
        { type: 'set', key: 'key', json: '1' },
        { type: 'set', key: 'taken', json: '1', expect: 0 },
        { type: 'set', key: 'part', json: '1', transaction: 1 },
        { type: 'delete', key: 'taken', expect: 99_999, transaction: 1 },
      );
      const first = await dictionary.send(batch);
      equal(first.leftOut.map(({ index }) => index).sort(), [1, 2, 3], 'the places of what was left out');
      equalResults(await dictionary.send(batch), first);
      equalContents(await dictionary.texts(), new Map([['taken', '0'], ['key', '1']]), 'the stored dictionary');
    });

    test('answers the same expires that did not come true when a batch comes again', async bench => {
      const dictionary = await bench.open();
      const passed = Date.now() - 60_000;
      const { version } = await dictionary.write(
        { type: 'set', key: 'ended', json: '1', expiresAt: passed },
        { type: 'set', key: 'later', json: '1', expiresAt: passed + 3_600_000 },
      );
      const mixed = dictionary.batch(
        { type: 'expire', key: 'later', version },
        { type: 'expire', key: 'ended', version },
        { type: 'set', key: 'new', json: '1' },
        { type: 'expire', key: 'absent', version },
      );
      const first = await dictionary.send(mixed);
      equal(leftOutOf(first), ['0 conflict', '3 conflict'], 'what was left out at first');
      for (let retry = 1; retry <= 2; retry += 1) equalResults(await dictionary.send(mixed), first); // what it ended is absent now
      const vain = dictionary.batch({ type: 'expire', key: 'later', version }, { type: 'expire', key: 'ended', version });
      const second = await dictionary.send(vain);
      equal(leftOutOf(second), ['0 conflict', '1 conflict'], 'what was left out of a batch of which nothing came true');
      equalResults(await dictionary.send(vain), second);
      equalContents(await dictionary.texts(), new Map([['later', '1'], ['new', '1']]), 'the stored dictionary');
    });

    test('does not apply an older batch again', async bench => {
      const dictionary = await bench.open();
      const old = dictionary.batch({ type: 'clear' }, { type: 'set', key: 'key', json: '"old"' });
      await dictionary.send(old);
      await dictionary.write({ type: 'set', key: 'key', json: '"new"' }, { type: 'set', key: 'other', json: '1' });
      await dictionary.send(old).catch(() => undefined); // how it answers is its own affair: the core never asks
      equalContents(await dictionary.texts(), new Map([['key', '"new"'], ['other', '1']]), 'the stored dictionary');
    });

    test('applies batches whose numbers leave gaps', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key', '1');
      for (let skipped = 0; skipped < 10; skipped += 1) dictionary.batch();
      const version = await dictionary.set('key', '2');
      equal((await dictionary.load()).version, version, 'the version');
      equalContents(await dictionary.texts(), new Map([['key', '2']]), 'the stored dictionary');
    });

    test('counts the numbers of each dictionary by themselves', async bench => {
      const [one, other] = [await bench.open('one'), await bench.open('other')];
      for (let round = 1; round <= 5; round += 1) await one.set('key', `${round}`);
      await other.set('key', '"first"');
      equalContents(await other.texts(), new Map([['key', '"first"']]), 'the other dictionary');
    });

    if (claims.persistent) {
      test('applies the first batches of a new session, whose numbers begin again', async bench => {
        let dictionary = await bench.open();
        let version = 0;
        for (let session = 1; session <= 4; session += 1) {
          for (let round = session; round <= 4; round += 1) {
            const next = await dictionary.set('key', `"${session} ${round}"`);
            isAbove(next, version, 'the version');
            version = next;
          }
          equal((await dictionary.entry('key')).json, `"${session} 4"`, 'the stored value');
          dictionary = await bench.reopen(dictionary);
        }
      });
    }

    if (claims.shared) {
      test('leaves what another session wrote meanwhile when a batch comes again', async bench => {
        const [slow, quick] = [await bench.open(), await bench.open('dictionary', bench.anotherProvider())];
        const batch = slow.batch({ type: 'clear' }, { type: 'set', key: 'key', json: '"slow"' }, { type: 'delete', key: 'other' });
        const first = await slow.send(batch);
        await quick.write({ type: 'set', key: 'key', json: '"quick"' }, { type: 'set', key: 'other', json: '1' });
        equalResults(await slow.send(batch), first);
        equalContents(await slow.texts(), new Map([['key', '"quick"'], ['other', '1']]), 'the stored dictionary');
      });

      test('answers the same conflict although its condition holds meanwhile', async bench => {
        const [slow, quick] = [await bench.open(), await bench.open('dictionary', bench.anotherProvider())];
        await quick.set('key', '"quick"');
        const batch = slow.batch({ type: 'set', key: 'key', json: '"slow"', expect: 0 }, { type: 'set', key: 'slow', json: '1' });
        const first = await slow.send(batch);
        await quick.write({ type: 'delete', key: 'key' });
        equalResults(await slow.send(batch), first);
        equalContents(await slow.texts(), new Map([['slow', '1']]), 'the stored dictionary');
      });

      test('counts the numbers of each writer by themselves', async bench => {
        const [one, other] = [await bench.open(), await bench.open('dictionary', bench.anotherProvider())];
        for (let round = 1; round <= 5; round += 1) await one.set('one', `${round}`);
        await other.set('other', '1');
        await one.set('one', '6');
        equalContents(await one.texts(), new Map([['one', '6'], ['other', '1']]), 'the stored dictionary');
      });
    }
  },
};

function equalResults(actual: BatchResult, expected: BatchResult): void {
  equal(actual.version, expected.version, 'the version that the retry answers');
  equal(leftOutOf(actual), leftOutOf(expected), 'what the retry answers to be left out');
}
