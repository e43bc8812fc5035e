import { memory, OptionsError, persistify, type Store } from 'rx-persistify';
import { flushWhenHidden } from 'rx-persistify/indexed-db';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';

import { FakePage } from './scene.ts';

type Drafts = Store<Record<string, string>>;

const never = { intervalMs: 3_600_000 };

async function openDrafts(): Promise<Drafts> {
  const drafts = await persistify(memory()).withBatch(never).open<Record<string, string>>('drafts');
  onTestFinished(() => drafts.close());
  return drafts;
}

describe('flushWhenHidden', () => {
  let page: FakePage;

  beforeEach(() => {
    page = new FakePage();
  });

  it('saves when the page is hidden, not when it is shown', async () => {
    const drafts = await openDrafts();
    onTestFinished(flushWhenHidden(drafts));
    drafts.set('letter', 'Dear');
    page.becomes('visible');
    await new Promise((resolve) => setImmediate(resolve));
    expect(drafts.unsaved).toEqual(['letter']);
    page.becomes('hidden');
    await expect.poll(() => drafts.unsaved).toEqual([]);
    drafts.set('letter', 'Dear all');
    page.becomes('visible');
    page.becomes('hidden');
    await expect.poll(() => drafts.unsaved).toEqual([]);
  });

  it('saves when the page is left without being hidden first', async () => {
    const drafts = await openDrafts();
    onTestFinished(flushWhenHidden([drafts]));
    drafts.set('letter', 'Dear');
    page.isLeft();
    await expect.poll(() => drafts.unsaved).toEqual([]);
  });

  it('saves all the stores that there are by then, also if one of them is closed or fails', async () => {
    const [closed, late] = [await openDrafts(), await openDrafts()];
    const failing = { flush: vi.fn(() => Promise.reject(new Error('no'))) };
    const open = new Set<{ flush(): Promise<unknown> }>([failing, closed]);
    onTestFinished(flushWhenHidden(open));
    await closed.close();
    open.add(late);
    late.set('letter', 'Dear');
    page.becomes('hidden');
    await expect.poll(() => late.unsaved).toEqual([]);
    expect(failing.flush).toHaveBeenCalledOnce();
  });

  it('ends when it is told to', async () => {
    const drafts = await openDrafts();
    const stop = flushWhenHidden(drafts);
    drafts.set('letter', 'Dear');
    stop();
    page.becomes('hidden');
    page.isLeft();
    await new Promise((resolve) => setImmediate(resolve));
    expect(drafts.unsaved).toEqual(['letter']);
  });

  it('does nothing where there is no page', () => {
    vi.unstubAllGlobals();
    expect(() => flushWhenHidden([])()).not.toThrow();
  });

  it.each([undefined, null, 'prefs', Promise.resolve()])('refuses %s', (stores) => {
    expect(() => flushWhenHidden(stores as unknown as Drafts)).toThrow(OptionsError);
    expect(() => flushWhenHidden(stores as unknown as Drafts)).toThrow(/^flushWhenHidden: the argument must be an open store or an iterable of open stores, such as \[prefs, sessions\], not /);
  });
});
