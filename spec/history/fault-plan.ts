import type { Random } from '../crash/random.ts';

export type FaultType = 'cut' | 'restart' | 'kill';

export interface PlannedFault {
  /** After so many writes. */
  readonly at: number;
  readonly type: FaultType;
}

/** Where in a history the first faults come, and the last, as parts of its writes: there is a time to measure before, and one to mend after. */
const begin = 0.15;
const end = 0.97;

/** So many faults of each type, spread over a history. */
export function planFaults(random: Random, writes: number, counts: Readonly<Record<FaultType, number>>): readonly PlannedFault[] {
  const types: readonly FaultType[] = ['cut', 'restart', 'kill'];
  const planned = types.flatMap((type) =>
    Array.from({ length: counts[type] }, (_, index) => {
      const part = (index + random.next()) / counts[type];
      return { type, at: Math.floor(writes * (begin + (end - begin) * part)) };
    }),
  );
  return planned.sort((left, right) => left.at - right.at);
}
