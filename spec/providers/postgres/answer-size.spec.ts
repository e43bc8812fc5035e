import { describe, expect, it } from 'vitest';

import { AnswerSize } from '../../../lib/providers/postgres/answer-size.ts';

/** The numbers of keys that are asked for, one after another, where each has so much text. */
function askedFor(textOf: (answer: number) => number, answers = 7): readonly number[] {
  const size = new AnswerSize();
  return Array.from({ length: answers }, (_, answer) => {
    const { keys } = size;
    size.came(keys, keys * textOf(answer));
    return keys;
  });
}

describe('the size of an answer', () => {
  it('begins with one entry, and grows to 5,000 small ones', () => {
    expect(askedFor(() => 100)).toEqual([1, 8, 64, 512, 4_096, 5_000, 5_000]);
    expect(askedFor(() => 0)).toEqual([1, 8, 64, 512, 4_096, 5_000, 5_000]);
  });

  it('is bounded by the text of those that came last', () => {
    expect(askedFor(() => 100_000)).toEqual([1, 8, 20, 20, 20, 20, 20]);
    expect(askedFor((answer) => (answer < 5 ? 100 : 1_000_000))).toEqual([1, 8, 64, 512, 4_096, 5_000, 2]);
  });

  it('is one entry at least, however large', () => {
    expect(askedFor(() => 250_000_000)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });

  it('stays as it is where nothing has come', () => {
    const size = new AnswerSize();
    size.came(1, 100);
    size.came(0, 0);
    expect(size.keys).toBe(8);
  });
});
