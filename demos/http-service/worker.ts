// Does jobs that several processes share, each of them once. This is all there is to it.
import { firstValueFrom, merge } from 'rxjs';

import type { Store } from 'rx-persistify';

export interface Job {
  readonly doneBy?: string;
}

export interface WorkerConfig {
  readonly name: string;
  readonly jobs: Store<Record<string, Job>>;
  /** Who does which job. A claim ends by itself: a job takes much less than that, and a worker that is killed gives way. */
  readonly claims: Store<Record<string, string>>;
  readonly run: (id: string) => Promise<void>;
}

/** Does one job after the other, until the stores are closed. */
export async function work({ name, jobs, claims, run }: WorkerConfig): Promise<void> {
  const isOpen = ([id, { doneBy }]: readonly [string, Job]): boolean => doneBy === undefined && !claims.has(id);
  while (jobs.status.state !== 'closed') {
    const open = [...jobs].filter(isOpen);
    const next = open[Math.floor(Math.random() * open.length)]; // not all at the same one
    if (next === undefined) {
      await firstValueFrom(merge(jobs.changes$, claims.changes$), { defaultValue: undefined });
      continue;
    }
    const [id] = next;
    if (!(await claims.addAndSave(id, name))) continue; // storage has decided: another was first
    await run(id);
    // Whoever was so slow that his claim had ended finds that another has done it.
    await jobs.updateAndSave(id, (now) => (now === undefined || now.doneBy !== undefined ? undefined : { ...now, doneBy: name }));
    // The claim stays until it ends: by then everybody has heard that the job is done.
  }
}
