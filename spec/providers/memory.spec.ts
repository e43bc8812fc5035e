import { memory, type Feed, type Mutation, type ProviderSession } from 'rx-persistify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

describe('memory', () => {
  it('shares a dictionary between the sessions of one instance, and none between two', async () => {
    const shared = memory();
    const [one, other, stranger] = [await open(shared), await open(shared), await open(memory())];
    await one.write({ type: 'set', key: 'key', json: '1' });
    expect(await keysOf(other.session)).toEqual(['key']);
    expect(await keysOf(stranger.session)).toEqual([]);
  });

  it('keeps a dictionary that nobody has open', async () => {
    const provider = memory();
    const first = await open(provider);
    await first.write({ type: 'set', key: 'key', json: '1' });
    await first.session.close();
    expect(await keysOf((await open(provider)).session)).toEqual(['key']);
  });

  it('loads in pages of a thousand, each a part of one moment', async () => {
    const { session, write } = await open(memory());
    await write(...Array.from({ length: 2_500 }, (_, index) => ({ type: 'set', key: `${index}`, json: '1' }) as const));
    const sizes: number[] = [];
    for await (const { entries, version } of session.load()) {
      expect(version).toBe(1);
      sizes.push(entries.length);
      await write({ type: 'clear' });
    }
    expect(sizes).toEqual([1_000, 1_000, 500]);
  });

  it('refuses a write whose signal is aborted, and says that nothing was stored', async () => {
    const { session } = await open(memory());
    const batch = { number: 1, writer: 'writer', mutations: [{ type: 'set', key: 'key', json: '1' }] } as const;
    await expect(session.write(batch, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'PROVIDER', kind: 'retry', outcomeUnknown: false });
    expect(await keysOf(session)).toEqual([]);
  });

  it('decides conditions by the dictionary before the clear of their batch', async () => {
    const { session, write } = await open(memory());
    await write({ type: 'set', key: 'key', json: '1' });
    const { leftOut } = await write({ type: 'clear' }, { type: 'set', key: 'key', json: '2', expect: 0 });
    expect(leftOut).toMatchObject([{ index: 1, reason: 'conflict' }]);
    expect(await keysOf(session)).toEqual([]);
  });

  it('makes a version of what changes something, and of nothing else', async () => {
    const { write } = await open(memory());
    const versions: number[] = [];
    for (const mutation of [
      { type: 'clear' },
      { type: 'delete', key: 'key' },
      { type: 'set', key: 'key', json: '1', expiresAt: 9e12 },
      { type: 'touch', key: 'key', expiresAt: 9.1e12 },
      { type: 'expire', key: 'key', version: 1 },
      { type: 'set', key: 'key', json: '1' },
      { type: 'delete', key: 'key' },
    ] satisfies Mutation[]) {
      versions.push((await write(mutation)).version);
    }
    expect(versions).toEqual([0, 0, 1, 1, 1, 2, 3]);
  });

  describe('by the clock', () => {
    beforeEach(() => {
      vi.useFakeTimers({ now: 1_000 });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('expires an entry at its millisecond, not before', async () => {
      const { session, write } = await open(memory());
      await write({ type: 'set', key: 'key', json: '1', expiresAt: 1_500 });
      vi.setSystemTime(1_499);
      expect((await write({ type: 'expire', key: 'key', version: 1 })).leftOut).toEqual([{ index: 0, reason: 'conflict', message: 'Its deadline has not passed.' }]);
      expect(await keysOf(session)).toEqual(['key']);
      vi.setSystemTime(1_500);
      expect((await write({ type: 'expire', key: 'key', version: 1 })).leftOut).toEqual([]);
      expect(await keysOf(session)).toEqual([]);
    });

    it('says why an expire does not come true, by storage as the mutations before it leave it', async () => {
      const { session, write } = await open(memory());
      await write({ type: 'set', key: 'passed', json: '1', expiresAt: 500 }, { type: 'set', key: 'never', json: '1' });
      const expire = (key: string, version = 1) => ({ type: 'expire', key, version }) as const;
      const messagesOf = async (...mutations: Mutation[]) => (await write(...mutations)).leftOut.map(({ index, message }) => `${index} ${message}`);
      expect(await messagesOf(expire('passed', 2), { type: 'set', key: 'new', json: '1' }, expire('never'), expire('absent'))).toEqual([
        '0 The key has another version.', '2 The key has no deadline.', '3 The key is absent.',
      ]);
      expect(await messagesOf({ type: 'clear', transaction: 1 }, { type: 'set', key: 'never', json: '2', expect: 7, transaction: 1 }, expire('absent'))).toHaveLength(3);
      expect(await keysOf(session)).toEqual(['passed', 'never', 'new']);
      expect(await messagesOf({ type: 'clear' }, expire('passed'))).toEqual(['1 The key is absent.']);
      expect(await keysOf(session)).toEqual([]);
    });
  });

  describe('as a feed', () => {
    it('tells own commits too, with writer and number', async () => {
      const { session, write } = await open(memory(), 'me');
      const news = watch(session, 0);
      await write({ type: 'set', key: 'key', json: '1' });
      await write({ type: 'clear' }, { type: 'set', key: 'other', json: '2' });
      expect(news).toEqual([
        { type: 'commit', cursor: { version: 1, writer: 'me', number: 1 }, cleared: false, entries: [{ key: 'key', json: '1', version: 1 }], deleted: [] },
        { type: 'commit', cursor: { version: 2, writer: 'me', number: 2 }, cleared: true, entries: [{ key: 'other', json: '2', version: 2 }], deleted: [] },
      ]);
    });

    it('tells nothing of what changed nothing', async () => {
      const { session, write } = await open(memory());
      const news = watch(session, 0);
      await write({ type: 'delete', key: 'absent' }, { type: 'touch', key: 'absent', expiresAt: 9e12 });
      expect(news).toEqual([]);
    });

    it('tells of an older commit what is stored now', async () => {
      const { session, write } = await open(memory());
      await write({ type: 'set', key: 'deleted', json: '1' }, { type: 'set', key: 'key', json: '1', expiresAt: 8e12 });
      await write({ type: 'delete', key: 'deleted' });
      await write({ type: 'touch', key: 'key', expiresAt: 9e12 });
      expect(watch(session, 0)[0]).toMatchObject({ entries: [{ key: 'key', json: '1', version: 1, expiresAt: 9e12 }], deleted: ['deleted'] });
    });

    it('resumes behind the last thousand commits, and resets behind older ones', async () => {
      const { session, write } = await open(memory());
      for (let round = 1; round <= 1_200; round += 1) await write({ type: 'set', key: 'key', json: `${round}` });
      expect(watch(session, 201)).toHaveLength(999);
      expect(watch(session, 200)).toEqual([{ type: 'reset' }]);
    });

    it('neither misses nor repeats a commit that is made while another is being told', async () => {
      const provider = memory();
      const [watcher, writer] = [await open(provider), await open(provider)];
      const versions: number[] = [];
      const writes: Promise<unknown>[] = [];
      await writer.write({ type: 'set', key: 'key', json: '0' });
      watcher.session.watch?.({ version: 0 }).subscribe(news => {
        if (news.type === 'reset') return;
        versions.push(news.cursor.version);
        if (news.cursor.version < 5) writes.push(writer.write({ type: 'set', key: 'key', json: '1' }));
      });
      while (writes.length < 4) await writes.at(-1);
      await Promise.all(writes);
      expect(versions).toEqual([1, 2, 3, 4, 5]);
    });

    it('completes when its session is closed, and leaves the others be', async () => {
      const provider = memory();
      const [closing, staying] = [await open(provider), await open(provider)];
      const completed: string[] = [];
      closing.session.watch?.({ version: 0 }).subscribe({ complete: () => completed.push('closing') });
      staying.session.watch?.({ version: 0 }).subscribe({ complete: () => completed.push('staying') });
      await closing.session.close();
      expect(completed).toEqual(['closing']);
    });
  });
});

async function open(provider: ReturnType<typeof memory>, writer = `${Math.random()}`) {
  const session = await provider.open('dictionary', { writer, report: () => undefined });
  let number = 0;
  const { signal } = new AbortController();
  return {
    session,
    write: (...mutations: Mutation[]) => session.write({ writer, number: ++number, mutations }, { signal }),
  };
}

async function keysOf(session: ProviderSession): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { entries } of session.load()) keys.push(...entries.map(({ key }) => key));
  return keys;
}

/** What the feed has told so far; grows. */
function watch(session: ProviderSession, version: number): readonly Feed[] {
  const news: Feed[] = [];
  session.watch?.({ version }).subscribe(one => news.push(one));
  return news;
}
