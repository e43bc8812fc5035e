import type { BatchResult, LeftOut } from '../../mutation.ts';

/** What was answered to a writer's last batch, kept so that a retry of it is answered the same and not applied again. */
export interface Settled {
  readonly writer: string;
  readonly number: number;
  readonly result: BatchResult;
}

/** @returns undefined for what is none. */
export function settledFrom(value: unknown): Settled | undefined {
  const fields = fieldsOf(value);
  const result = fieldsOf(fields['result']);
  const { writer, number } = fields;
  const { version, leftOut } = result;
  const items = leftOutFrom(leftOut);
  if (typeof writer !== 'string' || typeof number !== 'number' || typeof version !== 'number' || items === undefined) return undefined;
  return { writer, number, result: { version, leftOut: items } };
}

/** As it is put into a file. */
export function settledAsWritten({ writer, number, result: { version, leftOut } }: Settled): object {
  return { writer, number, result: { version, leftOut: leftOutAsWritten(leftOut) } };
}

/** As it is put into a file: what has one reason and message stands together, as thousands of expiries may, with a list of places. */
export function leftOutAsWritten(leftOut: readonly LeftOut[]): readonly object[] {
  const groups = new Map<string, LeftOut[]>();
  for (const item of leftOut) {
    const name = `${item.reason} ${item.message}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
  }
  return [...groups.values()].map(group => (group.length === 1 ? { ...group[0] } : { ...group[0], index: group.map(({ index }) => index) }));
}

/** What was put into a file, in the order of the places; undefined for what is none. */
export function leftOutFrom(value: unknown): readonly LeftOut[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: LeftOut[] = [];
  for (const group of value) {
    const { index, reason, message } = fieldsOf(group);
    if ((reason !== 'refused' && reason !== 'conflict') || typeof message !== 'string') return undefined;
    for (const place of Array.isArray(index) ? (index as readonly unknown[]) : [index]) {
      if (typeof place !== 'number') return undefined;
      items.push({ index: place, reason, message });
    }
  }
  return items.sort((one, other) => one.index - other.index);
}

/** The members of a value that came out of JSON; none if it is no object. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
