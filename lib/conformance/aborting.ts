import type { Batch } from '../mutation.ts';
import { equal, equalContents, isTrue } from './assertions.ts';
import { numberedSets } from './batches.ts';
import type { OpenDictionary } from './open-dictionary.ts';
import type { Bench, Chapter } from './suite.ts';

export const aborting: Chapter = {
  title: 'aborting and closing',
  register({ claims, test }) {
    test('settles a write whose signal is aborted already', async bench => {
      const dictionary = await bench.open();
      await dictionary.set('key 0', '"old"');
      const batch = dictionary.batch(...numberedSets(100));
      const answer = await answerOf(dictionary, batch, AbortSignal.abort());
      await expectAgreement(dictionary, batch, answer);
    });

    for (const moment of ['at once', 'a microtask later', 'a macrotask later', 'some milliseconds later'] as const) {
      test(`settles a write that is aborted ${moment}`, async bench => {
        const dictionary = await bench.open();
        await dictionary.set('key 0', '"old"');
        const batch = dictionary.batch(...numberedSets(10_000));
        const controller = new AbortController();
        const writing = answerOf(dictionary, batch, controller.signal);
        await passOf(moment);
        controller.abort();
        await expectAgreement(dictionary, batch, await writing);
      });
    }

    test('writes on after an abort, in the order of the batches', async bench => {
      const dictionary = await bench.open();
      const controller = new AbortController();
      const batch = dictionary.batch({ type: 'set', key: 'key', json: '"first"' });
      const writing = answerOf(dictionary, batch, controller.signal);
      controller.abort();
      await writing;
      await dictionary.send(batch);
      await dictionary.set('key', '"second"');
      equalContents(await dictionary.texts(), new Map([['key', '"second"']]), 'the stored dictionary');
    });

    test('does not mind an abort after the answer', async bench => {
      const dictionary = await bench.open();
      const controller = new AbortController();
      await dictionary.session.write(dictionary.batch({ type: 'set', key: 'key', json: '1' }), { signal: controller.signal });
      controller.abort();
      await dictionary.set('other', '2');
      equalContents(await dictionary.texts(), new Map([['key', '1'], ['other', '2']]), 'the stored dictionary');
    });

    test('settles both when it is closed during a write', async bench => {
      const dictionary = await bench.open();
      const batch = dictionary.batch(...numberedSets(1_000));
      const writing = answerOf(dictionary, batch, new AbortController().signal);
      await bench.close(dictionary);
      const answer = await writing;
      if (!claims.persistent) return;
      await expectWholeOrNothing(await bench.open('dictionary', bench.anotherProvider()), answer);
    });

    test('is closed during a load that was left unfinished', async bench => {
      const dictionary = await bench.open();
      await dictionary.write(...numberedSets(5_000));
      const pages = dictionary.session.load()[Symbol.asyncIterator]();
      await pages.next();
      await pages.return?.();
      await bench.close(dictionary);
    });

    if (claims.persistent) {
      test('can be closed right after opening, and be opened again', async bench => {
        await reopenedContents(bench, new Map());
        const dictionary = await bench.open();
        await dictionary.set('key', '1');
        await bench.close(dictionary);
        await reopenedContents(bench, new Map([['key', '1']]));
      });
    }
  },
};

/** `unknown`: rejected without saying that nothing was stored. */
type Answer = 'stored' | 'not stored' | 'unknown';

async function answerOf(dictionary: OpenDictionary, batch: Batch, signal: AbortSignal): Promise<Answer> {
  const answer = dictionary.session.write(batch, { signal }).then(
    ({ leftOut }) => {
      equal(leftOut, [], 'what was left out');
      return 'stored' as const;
    },
    (error: unknown) => {
      const isKnown = error instanceof Error && 'outcomeUnknown' in error && error.outcomeUnknown === false;
      return isKnown ? ('not stored' as const) : ('unknown' as const);
    },
  );
  return dictionary.inTime(answer, 'the end of a write whose signal aborts');
}

/** What is stored agrees with the answer; sent again under its number, the batch is stored once. */
async function expectAgreement(dictionary: OpenDictionary, batch: Batch, answer: Answer): Promise<void> {
  const before = await expectWholeOrNothing(dictionary, answer);
  const { version } = await dictionary.send(batch);
  const { entries, version: after } = await dictionary.load();
  equal(entries.size, batch.mutations.length, 'the number of entries after sending it again');
  equal(entries.get('key 0')?.json, '{"index":0}', 'the value after sending it again');
  equal(after, version, 'the version after sending it again');
  if (answer === 'stored') equal(after, before, 'the version after sending again what was stored');
}

async function expectWholeOrNothing(dictionary: OpenDictionary, answer: Answer): Promise<number> {
  const { entries, version } = await dictionary.load();
  const stored = [...entries.values()].filter(({ json }) => json !== '"old"').length;
  if (answer === 'stored') isTrue(stored >= 100, 'a batch that was answered is stored whole', stored);
  if (answer === 'not stored') equal(stored, 0, 'the number of entries of a batch that was answered not to be stored');
  isTrue([0, 100, 1_000, 10_000].includes(stored), 'a batch is stored whole or not at all', stored);
  return version;
}

async function passOf(moment: 'at once' | 'a microtask later' | 'a macrotask later' | 'some milliseconds later'): Promise<void> {
  if (moment === 'at once') return;
  if (moment === 'a microtask later') return Promise.resolve();
  await new Promise<void>(resolve => setTimeout(resolve, moment === 'a macrotask later' ? 0 : 8));
}

async function reopenedContents(bench: Bench, expected: ReadonlyMap<string, string>): Promise<void> {
  for (let round = 1; round <= 3; round += 1) await bench.close(await bench.open());
  const dictionary = await bench.open('dictionary', bench.anotherProvider());
  equalContents(await dictionary.texts(), expected, 'the reopened dictionary');
  await bench.close(dictionary);
}
