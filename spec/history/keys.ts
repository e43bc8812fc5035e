/** What a key is for; the name of each begins with it. */
export type KeyKind = 'key' | 'hot' | 'claim' | 'counter' | 'pair' | 'probe';

/** How many of them there are. Those of a `pair` are written together or not at all, three at a time. */
const counts: readonly (readonly [KeyKind, number])[] = [
  ['key', 1_500],
  ['hot', 30],
  ['claim', 24],
  ['counter', 4],
  ['pair', 120],
  ['probe', 64],
];

export const pairSize = 3;

interface Range {
  readonly first: number;
  readonly count: number;
}

const ranges: ReadonlyMap<KeyKind, Range> = rangesOf(counts);

/** Every key of a history. What is recorded names a key by its place here. */
export const keyNames: readonly string[] = counts.flatMap(([kind, count]) => Array.from({ length: count }, (_, index) => `${kind}-${index}`));

const kinds: readonly KeyKind[] = counts.flatMap(([kind, count]) => Array.from({ length: count }, () => kind));
const numbers: ReadonlyMap<string, number> = new Map(keyNames.map((name, number) => [name, number]));

export function keyName(number: number): string {
  return keyNames[number] ?? `no key (${number})`;
}

/** `undefined`: no key of a history. */
export function keyNumber(name: string): number | undefined {
  return numbers.get(name);
}

export function kindOf(number: number): KeyKind | undefined {
  return kinds[number];
}

/** How many keys of a kind there are. */
export function countOf(kind: KeyKind): number {
  return rangeOf(kind).count;
}

/** The `index`-th key of its kind. */
export function keyOf(kind: KeyKind, index: number): string {
  return `${kind}-${index % countOf(kind)}`;
}

/** The numbers of the keys that are written together with a key of kind `pair`. */
export function pairOf(number: number): readonly number[] {
  const { first } = rangeOf('pair');
  const start = number - ((number - first) % pairSize);
  return Array.from({ length: pairSize }, (_, index) => start + index);
}

/** The names of the keys of the `index`-th pair. */
export function pairNames(index: number): readonly string[] {
  return Array.from({ length: pairSize }, (_, member) => keyOf('pair', index * pairSize + member));
}

function rangeOf(kind: KeyKind): Range {
  return ranges.get(kind) ?? { first: 0, count: 1 };
}

function rangesOf(all: typeof counts): ReadonlyMap<KeyKind, Range> {
  let first = 0;
  return new Map(
    all.map(([kind, count]) => {
      const range = { first, count };
      first += count;
      return [kind, range];
    }),
  );
}
