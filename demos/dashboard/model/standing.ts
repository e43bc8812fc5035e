import type { Connection, Status } from 'rx-persistify';

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
