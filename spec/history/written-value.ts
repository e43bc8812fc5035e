/** What is stored: a value that no other write has, by its life and its number in it. */
export interface WrittenValue {
  /** A life is a process from its start to its end; a process that is started again is another life. */
  readonly life: number;
  readonly n: number;
  /** Of a counter. */
  readonly count?: number;
  /** Of a probe: when it was set, by the clock that all processes of a machine have in common. */
  readonly at?: number;
  /** Of a probe: what is measured. */
  readonly probe?: string;
  readonly text?: string;
}

/** The dictionary of a history. */
export type History = Record<string, WrittenValue>;

/**
 * A write, in one number: 16 bits of life above 32 bits of number. 0 is none.
 */
export type WriteId = number;

const span = 2 ** 32;
export const lastLife = 65_535;

export function writeId(life: number, n: number): WriteId {
  return life * span + n;
}

export function lifeOf(id: WriteId): number {
  return Math.floor(id / span);
}

export function numberOf(id: WriteId): number {
  return id % span;
}

export function nameOf(id: WriteId): string {
  return id === 0 ? 'nothing' : `${lifeOf(id)}.${numberOf(id)}`;
}

/** `undefined` if it is no value of a history. */
export function idOf(value: unknown): WriteId | undefined {
  if (typeof value !== 'object' || value === null || !('life' in value) || !('n' in value)) return undefined;
  const { life, n } = value;
  if (!isWhole(life, lastLife) || !isWhole(n, span - 1)) return undefined;
  return writeId(life, n);
}

/** 0 if it has none. */
export function countIn(value: unknown): number {
  return typeof value === 'object' && value !== null && 'count' in value && typeof value.count === 'number' ? value.count : 0;
}

function isWhole(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= most;
}
