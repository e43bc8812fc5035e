import { OptionsError } from 'rx-persistify';
import { flushOnExit } from 'rx-persistify/node';
import { describe, expect, it } from 'vitest';

describe('what is wrong', () => {
  const closable = { name: 'a', unsaved: [], close: () => Promise.resolve() };

  it.each([
    ['no stores', undefined, {}, 'the first argument must be an open store or an iterable of open stores, such as [prefs, sessions], not undefined'],
    ['a promise of a store', Promise.resolve(closable), {}, 'not a promise (await it first)'],
    ['a name', 'sessions', {}, 'not "sessions"'],
    ['a promise among stores', [closable, Promise.resolve(closable)], {}, 'each store must be an object with name, unsaved and close, as open() resolves to, not a promise (await it first)'],
    ['a hole among stores', [undefined], {}, 'not undefined'],
    ['a Map', new Map([['a', closable]]), {}, 'each store must be an object with name, unsaved and close, as open() resolves to, not an array'],
    ['no options', [], null, 'the second argument must be an object of options, such as { deadlineMs: 5_000 }, not null'],
    ['signals in place of options', [], ['SIGTERM'], 'not an array'],
    ['an unknown option', [], { deadline: 1 }, 'there is no option deadline. Known are deadlineMs, signals, report'],
    ['a negative deadline', [], { deadlineMs: -1 }, 'deadlineMs must be a number of milliseconds from 0 to 2147483647, not -1'],
    ['a deadline that is none', [], { deadlineMs: Infinity }, 'not Infinity'],
    ['a deadline of text', [], { deadlineMs: '5s' }, 'not "5s"'],
    ['one signal', [], { signals: 'SIGTERM' }, 'signals must be an array of SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGBREAK, SIGUSR2, not "SIGTERM"'],
    ['a signal that nobody hears', [], { signals: ['SIGINT', 'SIGKILL'] }, 'not "SIGKILL"'],
    ['a hole among signals', [], { signals: [undefined] }, 'not undefined'],
    ['a report that is no function', [], { report: 'log' }, 'report must be a function, not "log"'],
  ])('is refused, and nothing is listened for: %s', (_case, stores, options, message) => {
    const counts = (): number[] => ['SIGTERM', 'SIGINT', 'beforeExit'].map((event) => process.listenerCount(event));
    const before = counts();
    const untyped: (...args: readonly unknown[]) => unknown = flushOnExit as never; // types refuse all of them
    const call = (): unknown => untyped(stores, options);
    expect(call).toThrow(OptionsError);
    expect(call).toThrow(message);
    expect(counts()).toEqual(before);
  });

  it('is no empty list, no repeated signal, and no iterator that can be read once, which is kept for the end', () => {
    const before = process.listenerCount('SIGTERM');
    const once = [closable].values();
    const takeBacks = [flushOnExit([]), flushOnExit(closable, { signals: ['SIGTERM', 'SIGTERM'], deadlineMs: 0 }), flushOnExit(once)];
    expect(process.listenerCount('SIGTERM')).toBe(before + 3);
    for (const takeBack of takeBacks) takeBack();
    expect(process.listenerCount('SIGTERM')).toBe(before);
    expect([...once]).toEqual([closable]);
  });
});
