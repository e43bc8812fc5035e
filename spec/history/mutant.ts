import type { Edit } from './broken-copy.ts';
import type { ViolationKind } from './violations.ts';

/** The library with one thing broken on purpose. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** In what history it shows. */
  readonly args: readonly string[];
  /** At least one of these must be found. */
  readonly expected: readonly ViolationKind[];
}

/** What the history of every mutant has. */
export const commonArgs = ['--writes', '6000', '--processes', '3', '--restarts', '0', '--seconds', '120', '--settle-seconds', '5'] as const;

export const withoutFaults = ['--cuts', '0', '--kills', '0'] as const;
export const withAnswersLost = ['--cuts', '60', '--kills', '0', '--faults', 'answer-lost'] as const;
/** Only what a store hears at once it hears at all. */
export const withoutPoll = ['--poll-ms', '60000'] as const;
