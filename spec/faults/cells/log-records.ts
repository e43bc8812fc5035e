/** A record of a log: one batch. */
export interface RecordPlace {
  readonly start: number;
  readonly end: number;
}

/** Where the records of a log of json-file stand, by what their first lines say. */
export function recordsOf(log: Buffer): readonly RecordPlace[] {
  const records: RecordPlace[] = [];
  let start = log.indexOf('\n') + 1;
  while (start < log.length) {
    const bodyAt = log.indexOf('\n', start) + 1;
    const { bytes } = JSON.parse(log.toString('utf8', start + 9, bodyAt)) as { bytes: number }; // behind a checksum and a space
    records.push({ start, end: bodyAt + bytes });
    start = bodyAt + bytes;
  }
  return records;
}
