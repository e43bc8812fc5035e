import { describe, expect, it } from 'vitest';

import { explanations } from './explanations.ts';
import { rows } from './rows/index.ts';

describe('what is told of budgets that are not met', () => {
  it('is of rows that have one', () => {
    const budgeted = new Set(rows.filter(({ lines }) => lines.some(({ budget }) => budget !== undefined)).map(({ name }) => name));
    expect([...explanations.keys()].filter((name) => !budgeted.has(name))).toEqual([]);
  });
});
