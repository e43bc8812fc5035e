import type { Connection, Status } from 'rx-persistify';
import { scan, type MonoTypeOperatorFunction } from 'rxjs';

import { byUrgency } from '../../telemetry/saving.ts';

/** How several stores stand that a page shows as one. */
export interface Standing {
  /** The most urgent one. */
  readonly state: Status['state'];
  readonly pending: number;
  readonly lastSavedAt: number | undefined;
  /** Stale since the first of them is. */
  readonly connection: Connection;
}

export function combineStatuses(statuses: readonly Status[]): Standing {
  const staleSince = statuses.flatMap(({ connection }) => (connection?.state === 'reconnecting' ? [connection.staleSince] : []));
  const savedAt = statuses.flatMap(({ lastSavedAt }) => lastSavedAt ?? []);
  return {
    state: byUrgency.find((state) => statuses.some((status) => status.state === state)) ?? 'idle',
    pending: statuses.reduce((sum, { pending }) => sum + pending, 0),
    lastSavedAt: savedAt.length === 0 ? undefined : Math.max(...savedAt),
    connection: staleSince.length === 0 ? { state: 'connected' } : { state: 'reconnecting', staleSince: Math.min(...staleSince) },
  };
}

/** A store whose attempts to save fail is `retrying` or `failing` until it has saved: that another attempt is under way is no news. */
export function holdTrouble(): MonoTypeOperatorFunction<Status> {
  return scan((before, status) => {
    const isOver = status.state === 'idle' || status.state === 'closed' || status.lastSavedAt !== before.lastSavedAt;
    return isTrouble(before.state) && !isTrouble(status.state) && !isOver ? { ...status, state: before.state } : status;
  });
}

export function isTrouble(state: Status['state']): boolean {
  return state === 'retrying' || state === 'failing';
}
