/** What the log keeps in any case: the newest rows, and those of the last hour; but never more than a ceiling. */
const logRows = 10_000;
const logAgeMs = 3_600_000;
const logCeiling = 100_000;
/** Pruning looks at some of the oldest rows each so many versions, so that its cost is spread and small. */
const pruneEvery = 64;
const pruneAtMost = 1_024;

/** A writer that has been silent for so long has no batch left to retry. */
export const writerAgeMs = 7 * 24 * 3_600_000;

/** SQL that forgets the oldest rows of a dictionary's log. */
export const logPruning = {
  every: pruneEvery,
  statement: (log: string, dictionary: number, version: string, now: string): string =>
    `DELETE FROM ${log} AS l WHERE l.dictionary = ${dictionary} AND l.version <= ${version} - ${logRows} ` +
    `AND (l.committed_at < ${now} - ${logAgeMs} OR l.version <= ${version} - ${logCeiling}) ` +
    `AND l.version < ${pruneAtMost} + (SELECT min(o.version) FROM ${log} AS o WHERE o.dictionary = ${dictionary})`,
};

/** SQL that forgets writers that are gone; for when a new one comes. */
export const writerPruning = {
  statement: (writers: string, dictionary: number, now: string): string =>
    `DELETE FROM ${writers} AS w WHERE w.dictionary = ${dictionary} AND w.settled_at < ${now} - ${writerAgeMs}`,
};
