import { setTimeout as wait } from 'node:timers/promises';

import { describe, expect, it } from 'vitest';

import { takeRounds } from './contest.ts';
import type { Contest } from './row.ts';

const row = { lines: [{ title: 'a line', unit: 'ms' }], warmUps: 2 } as const;

/** A contest that notes who was when. */
function noted(ms = 0): { readonly contest: Contest; readonly notes: string[] } {
  const notes: string[] = [];
  const side = (name: string) => async (round: number): Promise<number> => {
    notes.push(`${name} ${round}`);
    await wait(ms);
    return round;
  };
  return { contest: { ours: side('ours'), limit: side('limit') }, notes };
}

describe('takeRounds', () => {
  it('has both sides take turns, the one and then the other first, and counts no warm-up', async () => {
    const { contest, notes } = noted();
    const { ours, limit } = await takeRounds(contest, row, { rounds: 2 });
    expect(notes).toEqual(['ours 0', 'limit 0', 'limit 1', 'ours 1', 'ours 2', 'limit 2', 'limit 3', 'ours 3']);
    expect([ours, limit]).toEqual([[[2, 3]], [[2, 3]]]);
  });

  it('has three rounds that count, and no more, where they take longer than there is time', async () => {
    const { contest } = noted(2);
    const { ours, limit } = await takeRounds(contest, row, { rounds: 10, mostMs: 1 });
    expect([ours, limit]).toEqual([[[2, 3, 4]], [[2, 3, 4]]]);
  });

  it('has no more rounds than were asked for', async () => {
    const { contest } = noted(2);
    expect((await takeRounds(contest, row, { rounds: 1, mostMs: 1 })).ours).toEqual([[2]]);
  });

  it('refuses figures that are not one for each line', async () => {
    const contest = { ours: () => [1, 2] };
    await expect(takeRounds(contest, row, { rounds: 1 })).rejects.toThrow('A round found 2 figures, and the row has 1 lines.');
  });
});
