import type { LeftOut } from '../mutation.ts';

/** As a settling row and the answer of a worker hold it: what has one reason and message stands together, as thousands of expiries may, with a list of places. */
export function leftOutText(leftOut: readonly LeftOut[]): string {
  const groups = new Map<string, LeftOut[]>();
  for (const item of leftOut) {
    const name = `${item.reason} ${item.message}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
  }
  return JSON.stringify([...groups.values()].map(group => (group.length === 1 ? group[0] : { ...group[0], index: group.map(({ index }) => index) })));
}

/** What was left out, in the order of the places. */
export function leftOutFrom(text: string): readonly LeftOut[] {
  try {
    const groups: unknown = JSON.parse(text);
    if (!Array.isArray(groups)) return [];
    return groups.filter(isGroup).flatMap(ungrouped).sort((one, other) => one.index - other.index);
  } catch {
    return [];
  }
}

type Group = Omit<LeftOut, 'index'> & { readonly index: number | readonly number[] };

function isGroup(value: unknown): value is Group {
  return typeof value === 'object' && value !== null && 'index' in value && 'reason' in value && 'message' in value;
}

function ungrouped({ index, reason, message }: Group): readonly LeftOut[] {
  return (typeof index === 'number' ? [index] : index).map(place => ({ index: place, reason, message }));
}
