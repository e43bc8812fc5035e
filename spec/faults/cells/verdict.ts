import type { Provider } from 'rx-persistify';
import { expect } from 'vitest';

import { judge, type Evidence } from '../../crash/oracle.ts';
import { inspect } from '../../crash/storage.ts';

/** What was found in storage afterwards. */
export interface Found {
  /** Stamps by key. */
  readonly entries: ReadonlyMap<string, string>;
  readonly changes: number;
  readonly acknowledged: number;
}

/** How exact storage has to be. */
export interface Exactness {
  /** It is the store as it was last, and not only as it was at the last acknowledged change or later. */
  readonly isWhole?: boolean;
}

/** Throws if what was found is not the store as it was at one `seq`, not below the last one that was acknowledged. */
export function expectRight(evidence: Evidence, { isWhole = false }: Exactness = {}): Found {
  const verdict = judge(evidence);
  if (!verdict.right) throw new Error(`${verdict.wrong}: ${verdict.detail}`);
  if (isWhole) expect(verdict.found, 'how far storage has got').toBe(verdict.applied);
  return { entries: evidence.found, changes: verdict.applied, acknowledged: verdict.acknowledged };
}

/** The same, of what this provider opens. */
export async function expectKept(provider: Provider, account: Omit<Evidence, 'found'>, exactness: Exactness = {}): Promise<Found> {
  const { found, problem } = await inspect(provider);
  expect(problem, 'what opening found').toBeUndefined();
  return expectRight({ ...account, found }, exactness);
}
