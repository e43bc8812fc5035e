import { describe, expect, it } from 'vitest';

import { momentOf } from './cycles.ts';
import { digestOf, type JournalRecord, type Step } from './journal.ts';
import { judge, type Wrong } from './oracle.ts';
import { newStamp, stampedValue, stampOf } from './stamped-value.ts';

const set = (key: string, stamp: string): Step => ({ type: 'set', key, stamp });
const remove = (key: string): Step => ({ type: 'delete', key });
const clear: Step = { type: 'clear' };
const opened = (held: Readonly<Record<string, string>> = {}): JournalRecord => ({ type: 'opened', digest: digestOf(new Map(Object.entries(held))) });
const change = (seq: number, ...steps: Step[]): JournalRecord => ({ type: 'change', seq, steps });
const acknowledged = (seq: number): JournalRecord => ({ type: 'acknowledged', seq });

function judged(before: Readonly<Record<string, string>>, journal: readonly JournalRecord[], found: Readonly<Record<string, string>>): Wrong | 'right' {
  const verdict = judge({ before: new Map(Object.entries(before)), journal, found: new Map(Object.entries(found)) });
  return verdict.right ? 'right' : verdict.wrong;
}

describe('the oracle', () => {
  const journal = [opened({ old: '0' }), change(1, set('a', '1')), change(2, set('b', '2')), acknowledged(2), change(3, set('a', '3')), change(5, remove('old'), set('c', '4')), change(6, set('d', '5'))];
  const before = { old: '0' };

  it.each([
    ['what was acknowledged', { old: '0', a: '1', b: '2' }],
    ['one change more', { old: '0', a: '3', b: '2' }],
    ['a whole transaction more', { a: '3', b: '2', c: '4' }],
    ['the last change, which was announced and perhaps not applied', { a: '3', b: '2', c: '4', d: '5' }],
  ])('passes %s', (_, found) => {
    expect(judged(before, journal, found)).toBe('right');
  });

  it('detects a lost acknowledgement', () => {
    expect(judged(before, journal, { old: '0', a: '1' })).toBe('lost');
    expect(judged(before, journal, before)).toBe('lost');
    expect(judged(before, [...journal, acknowledged(6)], { a: '3', b: '2', c: '4' })).toBe('lost');
  });

  it('detects an invented value, and a value under another key', () => {
    expect(judged(before, journal, { old: '0', a: '1', b: '9' })).toBe('invented');
    expect(judged(before, journal, { old: '0', a: '1', b: '2', d: '1' })).toBe('invented');
    expect(judged(before, journal, { old: '0', a: '1', b: '2', unheard: '1' })).toBe('invented');
  });

  it('detects a hole: a later change without an earlier one', () => {
    expect(judged(before, journal, { a: '1', b: '2', c: '4' })).toBe('hole');
    expect(judged(before, journal, { a: '3', b: '2', c: '4', old: '0', d: '5' })).toBe('hole');
  });

  it('detects half a transaction', () => {
    expect(judged(before, journal, { a: '3', b: '2' })).toBe('half a transaction');
  });

  it('detects a key that was deleted and is back, or was kept and is gone', () => {
    const deletion = [opened({ a: '1', b: '2' }), change(1, remove('a')), acknowledged(1), change(2, set('c', '3'))];
    expect(judged({ a: '1', b: '2' }, deletion, { a: '1', b: '2' })).toBe('lost');
    expect(judged({ a: '1', b: '2' }, deletion, { a: '1', b: '2', c: '3' })).toBe('hole');
    expect(judged({ a: '1', b: '2' }, deletion, { c: '3' })).toBe('hole');
  });

  it('follows a clear, and detects what outlived it', () => {
    const clearing = [opened(before), change(1, set('a', '1')), change(2, clear), change(3, set('b', '2')), acknowledged(3)];
    expect(judged(before, clearing, { b: '2' })).toBe('right');
    expect(judged(before, clearing, { a: '1', b: '2' })).toBe('hole');
    expect(judged(before, clearing, {})).toBe('lost');
  });

  it('takes a state that comes again, as after two clears, for the later one', () => {
    const clearing = [opened(before), change(1, clear), change(2, set('a', '1')), acknowledged(2), change(3, clear)];
    expect(judged(before, clearing, {})).toBe('right');
  });

  it('goes on over a close and the next open, of which everything counts as acknowledged', () => {
    const reopened: JournalRecord[] = [opened(), change(1, set('a', '1')), { type: 'closing' }, { type: 'closed' }, { type: 'opening' }, opened({ a: '1' }), change(1, set('b', '2'))];
    expect(judged({}, reopened, { a: '1' })).toBe('right');
    expect(judged({}, reopened, { a: '1', b: '2' })).toBe('right');
    expect(judged({}, reopened, {})).toBe('lost');
  });

  it('holds what was there for as long as a writer only opens', () => {
    expect(judged(before, [{ type: 'opening' }], before)).toBe('right');
    expect(judged(before, [{ type: 'opening' }], {})).toBe('hole');
    expect(judged(before, [], { old: '0', a: '1' })).toBe('invented');
  });

  it.each<[string, JournalRecord[]]>([
    ['a store that opened with something else than storage held', [opened({ old: '1' })]],
    ['an acknowledgement of what was not applied yet', [opened(before), change(1, set('a', '1')), acknowledged(2)]],
    ['an acknowledgement inside a transaction', [opened(before), change(2, set('a', '1'), set('b', '2')), acknowledged(1)]],
    ['a seq that is not the number of changes', [opened(before), change(2, set('a', '1'))]],
    ['a fault that the writer saw itself', [opened(before), { type: 'fault', message: 'save: EIO' }]],
  ])('does not pass %s', (_, records) => {
    expect(judged(before, records, before)).toBe('journal');
  });

  it('says where the nearest state is and what differs', () => {
    const verdict = judge({ before: new Map([['old', '0']]), journal, found: new Map([['a', '1'], ['b', '2'], ['c', '4']]) });
    expect(verdict).toMatchObject({ right: false, detail: expect.stringMatching(/at no moment; nearest is 5, with 1 keys that differ: "a" is 1 and should be 3; acknowledged up to 2, applied up to 6/) as string });
  });
});

describe('a stamped value', () => {
  it('is known again by its stamp', () => {
    const stamp = newStamp(3, 17, 1_000);
    expect(stampedValue(stamp).text).toHaveLength(1_000);
    expect(stampOf(JSON.parse(JSON.stringify(stampedValue(stamp))))).toBe(stamp);
  });

  it('is not known if any part of it is not as it was written', () => {
    const stamp = newStamp(3, 17, 20);
    const value = stampedValue(stamp);
    for (const wrong of [{ ...value, text: value.text.slice(1) }, { ...value, stamp: newStamp(3, 18, 20) }, { ...value, more: 1 }, stamp, null]) {
      expect(stampOf(wrong)).toMatch(/not a value of ours/);
    }
  });
});

describe('the moment of a kill', () => {
  it.each<[string, JournalRecord[]]>([
    ['starting', []],
    ['opening', [{ type: 'opening' }]],
    ['idle', [{ type: 'opening' }, opened()]],
    ['unsaved', [{ type: 'opening' }, opened(), change(1, set('a', '1'))]],
    ['saving', [{ type: 'opening' }, opened(), change(1, set('a', '1')), { type: 'writing' }]],
    ['idle', [{ type: 'opening' }, opened(), change(1, set('a', '1')), { type: 'writing' }, { type: 'written' }, acknowledged(1)]],
    ['closing', [{ type: 'opening' }, opened(), { type: 'closing' }]],
    ['closed', [{ type: 'opening' }, opened(), { type: 'closing' }, { type: 'closed' }]],
  ])('is told from the end of a journal: %s', (moment, journal) => {
    expect(momentOf(journal)).toBe(moment);
  });
});
