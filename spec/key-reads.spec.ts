import { describe, expect, it } from 'vitest';

import { ProviderError } from '../lib/errors.ts';
import { KeyReads } from '../lib/key-reads.ts';
import type { Entry, ProviderSession } from '../lib/providers/provider.ts';
import { settingsFrom } from '../lib/settings.ts';
import { gate, settled } from './support/controlled-provider.ts';

const entry = (key: string): Entry => ({ key, json: '1', version: 1 });

/** Reads of a session that has each key but `x`; `answer` may delay or fail them. */
function reads(answer: () => Promise<unknown> | undefined = () => undefined): { readonly reads: KeyReads; readonly calls: (readonly string[])[] } {
  const calls: (readonly string[])[] = [];
  const session: ProviderSession = {
    capabilities: { shared: false, durability: 'memory' },
    load: () => {
      throw new Error('nothing is loaded');
    },
    async read(keys) {
      calls.push([...keys]);
      await answer();
      return keys.filter((key) => key !== 'x').map(entry);
    },
    write: () => Promise.reject(new Error('nothing is written')),
    close: () => Promise.resolve(),
  };
  return { reads: new KeyReads(session, settingsFrom({ retry: { maxAttempts: 2, delayMs: 0 } })), calls };
}

describe('reading keys', () => {
  it('is one call for those of one turn, each once, and each gets its own', async () => {
    const { reads: keyReads, calls } = reads();
    const readings = ['a', 'b', 'x', 'a'].map((key) => keyReads.of(key));
    expect(readings[3]).toBe(readings[0]);
    expect(await Promise.all(readings.map((reading) => reading.entry))).toEqual([entry('a'), entry('b'), undefined, entry('a')]);
    expect(calls).toEqual([['a', 'b', 'x']]);
  });

  it('is shared until it is there, and begun anew then', async () => {
    const { opened, open } = gate();
    const { reads: keyReads, calls } = reads(() => opened);
    const first = keyReads.of('a');
    await settled();
    expect(keyReads.of('a')).toBe(first);
    open();
    await first.entry;
    expect(keyReads.of('a')).not.toBe(first);
    await settled();
    expect(calls).toEqual([['a'], ['a']]);
  });

  it('is stale once the key, or all, were written meanwhile; the next begins anew', async () => {
    const { reads: keyReads, calls } = reads();
    const [first, other] = [keyReads.of('a'), keyReads.of('b')];
    keyReads.outdate('a');
    const second = keyReads.of('a');
    expect([first.isStale, second.isStale, other.isStale]).toEqual([true, false, false]);
    keyReads.outdateAll();
    expect([second.isStale, other.isStale]).toEqual([true, true]);
    await settled();
    expect(calls).toEqual([['a', 'b', 'a']]);
  });

  it('that fails is tried again where that may help, fails for all, and leaves nothing behind', async () => {
    let failures = 0;
    const { reads: keyReads, calls } = reads(() => (failures++ < 2 ? Promise.reject(new ProviderError('busy', { kind: 'retry' })) : undefined));
    for (const outcome of await Promise.allSettled([keyReads.of('a').entry, keyReads.of('b').entry])) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'LOAD_FAILED' } });
    expect(calls).toHaveLength(2);
    expect([await keyReads.of('a').entry, keyReads.isIdle]).toEqual([entry('a'), true]);
  });

  it('of no key asks nothing', async () => {
    const { reads: keyReads, calls } = reads();
    expect([await keyReads.all([]), calls]).toEqual([new Map(), []]);
  });

  it('asks nothing after the end, and tells when what was asked before is answered', async () => {
    const { opened, open } = gate();
    const { reads: keyReads, calls } = reads(() => opened);
    const before = keyReads.of('a').entry.catch((error: unknown) => error);
    await settled();
    let isAnswered = false;
    const underWay = keyReads.underWay().then(() => (isAnswered = true));
    keyReads.end();
    const after = keyReads.of('b').entry.catch((error: unknown) => error);
    expect(await before).toMatchObject({ code: 'LOAD_FAILED' });
    expect(await after).toMatchObject({ code: 'LOAD_FAILED' });
    expect([calls, keyReads.isIdle, isAnswered]).toEqual([[['a']], false, false]);
    open();
    await underWay;
    expect(keyReads.isIdle).toBe(true);
  });
});
