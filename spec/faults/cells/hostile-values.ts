import { runInNewContext } from 'node:vm';

import fc from 'fast-check';

/** What becomes of a value that is set: it is kept as JSON has it, or refused; a liar may be either. */
export type Fate = 'kept' | 'refused' | 'either';

/** A value as it is described, so that one that cannot be looked at can be printed all the same. */
export type HostileValue =
  | { readonly leaf: 'json'; readonly json: string; readonly around: readonly Around[] }
  | { readonly leaf: 'nested'; readonly levels: number; readonly around: readonly Around[] }
  | { readonly leaf: keyof typeof leaves; readonly around: readonly Around[] };

interface Leaf {
  readonly fate: Fate;
  readonly make: () => unknown;
}

class Point {
  readonly x = 1;
}
class Sorted extends Array<number> {}

const kept = (make: () => unknown): Leaf => ({ fate: 'kept', make });
const refused = (make: () => unknown): Leaf => ({ fate: 'refused', make });
const either = (make: () => unknown): Leaf => ({ fate: 'either', make });

const leaves = {
  'minus zero': kept(() => [-0, { zero: -0 }]),
  'no prototype': kept(() => Object.assign(Object.create(null) as object, { a: 1, constructor: 2 })),
  'a __proto__ of its own': kept(() => JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')),
  'members that look alike': kept(() => ({ a: 1, A: 2, 'a ': 3, 'ä': 4, 'a\u0308': 5, '': 6, 0: 7, '00': 8, '-0': 9, toString: 10, hasOwnProperty: 11 })),
  'like an array': kept(() => ({ length: 3, 0: 'a', 2: 'c' })),
  'a toJSON that is no function': kept(() => ({ toJSON: 'not a function' })),
  frozen: kept(() => Object.freeze({ a: Object.freeze([1, Object.freeze({})]) })),
  'an undefined member': kept(() => ({ a: undefined, b: 1 })),
  'a symbol for a member': kept(() => ({ [Symbol('a')]: 1n, b: 1 })),
  'a hidden member': kept(() => Object.defineProperty({ b: 1 }, 'hidden', { value: new Date() })),
  'a member of an array': kept(() => Object.assign([1, 2], { named: new Map() })),
  'an accessor': kept(() => ({ get a() { return { b: [1] }; } })), // prettier-ignore
  'the same object twice': kept(() => {
    const shared = { a: [1] };
    return [shared, { shared }, shared];
  }),
  'of another realm': kept(() => runInNewContext('({ a: [1, { b: null }] })')),
  'a proxy that hides nothing': kept(() => new Proxy({ a: [1], b: new Proxy([1, 2], {}) }, {})),
  'a long string': kept(() => 'ä"\\\u2028\0'.repeat(20_000)),
  'many members': kept(() => Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`member ${index}`, index]))),
  sql: kept(() => '\'); DROP TABLE "rx_persistify_dictionaries"; --'),
  undefined: refused(() => [undefined]),
  'not a number': refused(() => NaN),
  infinity: refused(() => -Infinity),
  'a bigint': refused(() => 1n),
  'a symbol': refused(() => Symbol('a')),
  'a function': refused(() => () => 1),
  'a date': refused(() => new Date(0)),
  'a map': refused(() => new Map([[1, 1]])),
  'a set': refused(() => new Set([1])),
  'a regular expression': refused(() => /a/),
  'an error': refused(() => new Error('a')),
  'a promise': refused(() => Promise.resolve(1)),
  'a typed array': refused(() => new Float64Array(3)),
  'a buffer': refused(() => Buffer.from('a')),
  'a weak map': refused(() => new WeakMap()),
  'a boxed string': refused(() => Object('a')),
  'an instance': refused(() => new Point()),
  'an instance of a class of arrays': refused(() => Sorted.of(1, 2)),
  'something inherited': refused(() => Object.create({ a: 1 })),
  'a sparse array': refused(() => Object.assign([1, 2], { length: 5 })),
  'an array of nothing': refused((): unknown => new Array(4_294_967_295)),
  'a cycle': refused(() => {
    const cycle: unknown[] = [1];
    cycle.push({ cycle });
    return cycle;
  }),
  'half a surrogate pair': refused(() => 'a\ud800'),
  'half a surrogate pair in a name': refused(() => ({ '\udfff': 1 })),
  'a toJSON': refused(() => ({ toJSON: () => 1 })),
  'a hidden toJSON': refused(() => Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 1 })),
  'an inherited toJSON': refused(() => Object.create({ toJSON: () => 1 })),
  'an accessor that throws': refused(() => ({ get a() { throw new RangeError('an accessor'); } })), // prettier-ignore
  'an accessor that throws what is no error': refused(() => ({ get a() { AbortSignal.abort({ toString: null }).throwIfAborted(); return 1; } })), // prettier-ignore
  'a proxy that throws': refused(() => new Proxy({ a: 1 }, { get: () => { throw new Error('a proxy'); } })), // prettier-ignore
  'a proxy that throws for its names': refused(() => new Proxy({ a: 1 }, { ownKeys: () => { throw new Error('a proxy'); } })), // prettier-ignore
  'a proxy that throws for its prototype': refused(() => new Proxy({ a: 1 }, { getPrototypeOf: () => { throw new Error('a proxy'); } })), // prettier-ignore
  'a proxy that is revoked': refused(() => {
    const { proxy, revoke } = Proxy.revocable({ a: 1 }, {});
    revoke();
    return proxy;
  }),
  'more than a string can hold': refused(() => new Array<string>(600).fill('x'.repeat(1_000_000))),
  'an accessor that counts': either(() => {
    let count = 0;
    return { get a() { return ++count; } }; // prettier-ignore
  }),
  'a proxy that answers otherwise each time': either(() => {
    const answers = [1, 'a', null, [1], { b: 1 }, undefined, 2n, new Date(0), NaN, '\ud800'];
    let asked = 0;
    return new Proxy({ a: 1, b: 2, c: 3 }, { get: (_, name) => (name === 'toJSON' ? undefined : answers[asked++ % answers.length]) });
  }),
  'a toJSON that comes and goes': either(() => {
    let asked = 0;
    return { get toJSON() { return asked++ === 0 ? undefined : () => undefined; } }; // prettier-ignore
  }),
  'a proxy without end': either(() => {
    const endless = (): object => new Proxy({}, { ownKeys: () => ['a'], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }), get: (_, name) => (name === 'a' ? endless() : undefined) });
    return endless();
  }),
} as const satisfies Readonly<Record<string, Leaf>>;

const arounds = {
  'in an array': (value: unknown) => [1, value, 'a'],
  'in an object': (value: unknown) => ({ first: 1, value, last: [] }),
  'under __proto__': (value: unknown) => Object.defineProperty({}, '__proto__', { value, enumerable: true, configurable: true, writable: true }),
  'without a prototype': (value: unknown) => Object.assign(Object.create(null) as object, { value }),
  'frozen, too': (value: unknown) => Object.freeze([Object.freeze({ value })]),
  'behind an accessor': (value: unknown) => ({ get value() { return value; } }), // prettier-ignore
} as const;
type Around = keyof typeof arounds;

/** How many levels each of them adds. */
const levelsOf: Readonly<Record<Around, number>> = { 'in an array': 1, 'in an object': 1, 'under __proto__': 1, 'without a prototype': 1, 'frozen, too': 2, 'behind an accessor': 1 };

const mostLevels = 500;

export function fateOf(value: HostileValue): Fate {
  if (value.leaf === 'json') return 'kept';
  if (value.leaf !== 'nested') return leaves[value.leaf].fate;
  return value.levels + value.around.reduce((sum, around) => sum + levelsOf[around], 0) <= mostLevels ? 'kept' : 'refused';
}

export function build(value: HostileValue): unknown {
  return value.around.reduce<unknown>((inner, around) => arounds[around](inner), buildLeaf(value));
}

function buildLeaf(value: HostileValue): unknown {
  if (value.leaf === 'json') return JSON.parse(value.json);
  if (value.leaf !== 'nested') return leaves[value.leaf].make();
  let nested: unknown = [];
  for (let level = 1; level < value.levels; level++) nested = level % 2 === 0 ? [nested] : { nested };
  return nested;
}

/** Takes seconds. */
export const hugeValue = { leaf: 'more than a string can hold', around: [] } as const satisfies HostileValue;

const around = fc.array(fc.constantFrom<Around>('in an array', 'in an object', 'under __proto__', 'without a prototype', 'frozen, too', 'behind an accessor'), { maxLength: 3 });
const names = (Object.keys(leaves) as (keyof typeof leaves)[]).filter((name) => name !== hugeValue.leaf);

/** Of every kind, refused ones and kept ones about as often. */
export const hostileValues: fc.Arbitrary<HostileValue> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ leaf: fc.constantFrom(...names), around }) },
  { weight: 4, arbitrary: fc.record({ leaf: fc.constant('json' as const), json: fc.json({ stringUnit: 'binary', maxDepth: 4 }).filter((json) => isWhole(json)), around }) },
  { weight: 1, arbitrary: fc.record({ leaf: fc.constant('nested' as const), levels: fc.oneof(fc.constantFrom(499, 500, 501, 100_000), fc.integer({ min: 1, max: 1_000 })), around }) },
);

/** Each kind once. */
export const everyHostileValue: readonly HostileValue[] = names.map((leaf) => ({ leaf, around: [] }));

/** Half a surrogate pair is refused, be it in a value or a name; JSON writes it as an escape. */
function isWhole(json: string): boolean {
  return !/\\ud[89a-f]/i.test(json);
}
