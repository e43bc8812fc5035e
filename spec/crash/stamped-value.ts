/** What the campaign stores: a stamp that no other write has, and a text that follows from it. */
export interface StampedValue {
  readonly stamp: string;
  readonly text: string;
}

/** The stamp of one write; `length` is that of its value's text. */
export function newStamp(cycle: number, write: number, length: number): string {
  return `${cycle}.${write}.${length}`;
}

/** The text repeats the stamp from end to end, so that a value of two halves shows. */
export function stampedValue(stamp: string): StampedValue {
  const length = Number(stamp.slice(stamp.lastIndexOf('.') + 1));
  return { stamp, text: `${stamp} `.repeat(Math.ceil(length / (stamp.length + 1))).slice(0, length) };
}

/** The stamp of a value that was read, or one that no write has if the value is not whole. */
export function stampOf(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'stamp' in value && typeof value.stamp === 'string') {
    const { stamp } = value;
    if (/^\d+\.\d+\.\d+$/.test(stamp) && JSON.stringify(value) === JSON.stringify(stampedValue(stamp))) return stamp;
  }
  return `not a value of ours: ${JSON.stringify(value).slice(0, 200)}`;
}
