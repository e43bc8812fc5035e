import type { Place } from './place.ts';

/** What a process is to be. */
export interface MemberPlan {
  readonly place: Place;
  readonly life: number;
  /** Its place among the processes; one that is started again has that of the one before. */
  readonly slot: number;
  readonly seed: number;
  readonly isWriter: boolean;
  /** The file of its journal. */
  readonly journal: string;
}

/** What the parent tells a process. */
export type Order =
  | { readonly type: 'begin'; readonly plan: MemberPlan }
  /** Writes from now on, if it is a writer; what it measures meanwhile is named `probe`. */
  | { readonly type: 'work'; readonly probe: string }
  /** Sets so many probes, each so long after the other; `isSaved`: waits for each. */
  | { readonly type: 'probe'; readonly probe: string; readonly times: number; readonly everyMs: number; readonly isSaved: boolean }
  /** Loses the answer to its next commit. */
  | { readonly type: 'lose answer' }
  /** Writes no more, and saves what it has written. */
  | { readonly type: 'rest' }
  | { readonly type: 'compare' }
  /** Tells its journal what it has, closes its store and ends. */
  | { readonly type: 'end' };

/** How long it took from one process's write to another's being told. */
export interface Latency {
  readonly probe: string;
  readonly ms: number;
}

/** What a process tells its parent. */
export type Report =
  | { readonly type: 'open' | 'probed' | 'rested' }
  /** What happened since the last one of these. */
  | { readonly type: 'progress'; readonly writes: number; readonly failures: number; readonly unknown: number; readonly latencies: readonly Latency[] }
  /** What its memory holds, in short. */
  | { readonly type: 'memory'; readonly digest: string }
  /** Something that no fault explains. */
  | { readonly type: 'wrong'; readonly message: string };
