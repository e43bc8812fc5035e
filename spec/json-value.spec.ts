import { runInNewContext } from 'node:vm';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { InvalidValueError } from '../lib/errors.ts';
import { encodeJson } from '../lib/json-value.ts';

/** The error with which `value` is refused. */
function refusalOf(value: unknown): InvalidValueError {
  try {
    encodeJson(value);
  } catch (error) {
    if (error instanceof InvalidValueError) return error;
    throw error;
  }
  throw new Error(`accepted: ${encodeJson(value)}`);
}

/** As many arrays, one in another. */
function nested(levels: number, innermost: unknown = []): unknown {
  let value = innermost;
  for (let level = 1; level < levels; level++) value = [value];
  return value;
}

const runs = { numRuns: 300, seed: 1 };
const text = fc.string({ unit: 'grapheme' });
const { value: jsonValue } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.boolean(), fc.constant(null), tie('array'), tie('object')),
  array: fc.array(tie('value'), { maxLength: 5 }),
  object: fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'toString', 'length', '0', '')), tie('value'), { maxKeys: 5, noNullPrototype: false }),
}));

describe('encodeJson', () => {
  describe('keeps', () => {
    it('what JSON keeps, exactly, but for -0', () => {
      fc.assert(
        fc.property(jsonValue, (value) => {
          expect(withoutNegativeZero(JSON.parse(encodeJson(value)))).toEqual(withoutNegativeZero(value));
        }),
        runs,
      );
    });

    it('the text that JSON.stringify makes of it', () => {
      fc.assert(
        fc.property(jsonValue, (value) => {
          expect(encodeJson(value)).toBe(JSON.stringify(value));
        }),
        runs,
      );
    });

    it('strings with every kind of character that is whole', () => {
      for (const each of ['', '\0', '\u2028', '"\\/', 'ä€😀', '\uD83D\uDE00', '\u007F\uFEFF']) expect(JSON.parse(encodeJson(each))).toBe(each);
    });

    it('numbers to the last digit', () => {
      for (const each of [0, 5e-324, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, 0.1 + 0.2, 1e21, -1e-7]) expect(JSON.parse(encodeJson(each))).toBe(each);
    });

    it('objects without a prototype', () => {
      const bare = Object.assign(Object.create(null) as object, { a: 1 });
      expect(encodeJson({ bare })).toBe('{"bare":{"a":1}}');
    });

    it('members of every name, a __proto__ of its own among them', () => {
      const value: unknown = JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"":2,"toJSON":3}');
      expect(encodeJson(value)).toBe('{"__proto__":{"polluted":true},"constructor":1,"":2,"toJSON":3}');
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    });

    it('plain objects and arrays of another realm', () => {
      expect(encodeJson(runInNewContext('({ a: [1, { b: null }] })'))).toBe('{"a":[1,{"b":null}]}');
    });

    it('an object that stands in several places, as long as it does not contain itself', () => {
      const shared = { a: 1 };
      expect(encodeJson([shared, { shared }, shared])).toBe('[{"a":1},{"shared":{"a":1}},{"a":1}]');
    });

    it('frozen and sealed values', () => {
      expect(encodeJson(Object.freeze({ a: Object.seal([1]) }))).toBe('{"a":[1]}');
    });

    it('500 levels of arrays and of objects', () => {
      expect(encodeJson(nested(500))).toBe(`${'['.repeat(500)}${']'.repeat(500)}`);
      const objects = Array.from({ length: 499 }).reduce<object>((inner) => ({ a: inner }), {});
      expect(JSON.parse(encodeJson(objects))).toEqual(objects);
    });

    it('a value at the innermost of 500 levels', () => {
      expect(JSON.parse(encodeJson(nested(500, ['leaf'])))).toEqual(nested(500, ['leaf']));
    });
  });

  describe('does as JSON does with', () => {
    it('an undefined member of an object, which it drops', () => {
      expect(encodeJson({ a: undefined, b: [{ c: undefined }] })).toBe('{"b":[{}]}');
    });

    it('-0, which becomes 0', () => {
      expect([encodeJson(-0), encodeJson([-0]), encodeJson({ a: -0 })]).toEqual(['0', '[0]', '{"a":0}']);
    });

    it('members that cannot be enumerated, and those of the prototype, which it drops', () => {
      expect(encodeJson(Object.defineProperty({ a: 1 }, 'hidden', { value: 2 }))).toBe('{"a":1}');
    });

    it('accessors, which it reads', () => {
      expect(encodeJson({ get a() { return 1; } })).toBe('{"a":1}'); // prettier-ignore
    });
  });

  describe('refuses what cannot be read:', () => {
    const thrown = new RangeError('not now');
    const throwing = (): never => {
      throw thrown;
    };

    it.each<[string, () => unknown]>([
      ['an accessor that throws', () => Object.defineProperty({}, 'a', { get: throwing, enumerable: true })],
      ['a proxy that throws', () => [new Proxy({ a: 1 }, { get: throwing })]],
      ['a proxy that throws for the names of its members', () => new Proxy({ a: 1 }, { ownKeys: throwing })],
    ])('%s', (_, make) => {
      expect(refusalOf(make())).toMatchObject({ code: 'INVALID_VALUE', cause: thrown });
    });

    it('a proxy that is revoked', () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      expect(refusalOf([proxy]).cause).toBeInstanceOf(TypeError);
    });

    it('an object whose toJSON comes and goes', () => {
      let asked = 0;
      const fickle = Object.defineProperty({}, 'toJSON', { get: () => (asked++ === 0 ? undefined : () => undefined) });
      expect(refusalOf(fickle).message).toMatch(/could not be made JSON/);
    });
  });

  describe('refuses, with the cure,', () => {
    class Point {
      readonly x = 1;
    }
    class Sorted extends Array<number> {}
    const anonymous = (() => class extends Point {})();

    it.each([
      ['undefined', undefined, 'undefined', 'null'],
      ['a function', () => 1, 'a function', 'data only'],
      ['a class', Point, 'a function', 'data only'],
      ['a symbol', Symbol('s'), 'a symbol', 'description'],
      ['a bigint', 10n, 'a bigint', 'String(value)'],
      ['NaN', Number.NaN, 'NaN', 'null'],
      ['an infinity', -Infinity, '-Infinity', 'null'],
      ['a Date', new Date(), 'a Date', 'toISOString()'],
      ['a Map', new Map(), 'a Map', '[...map]'],
      ['a Set', new Set(), 'a Set', '[...set]'],
      ['an instance of a class', new Point(), 'an instance of the class Point', 'plain object'],
      ['an instance of a class without a name', new anonymous(), 'an instance of the class (anonymous)', 'plain object'],
      ['an instance of a class of arrays', new Sorted(), 'an instance of the class Sorted', '[...value]'],
      ['an Error', new TypeError(), 'the class TypeError', 'plain object'],
      ['a RegExp', /a/, 'the class RegExp', 'plain object'],
      ['bytes', new Uint8Array(2), 'the class Uint8Array', 'plain object'],
      ['a boxed primitive', new Number(1), 'the class Number', 'plain object'],  
      ['a promise', Promise.resolve(), 'the class Promise', 'plain object'],
      ['an object with another object as its prototype', Object.create({ a: 1 }) as object, 'an instance of the class', 'plain object'],
      ['one whose prototype has nothing above it, yet is not that of objects', Object.create(Object.create(null) as object), 'an instance of the class', 'plain object'],
      ['one whose constructor is no function', Object.assign(Object.create(new Point()) as object, { constructor: null }), 'an instance of the class (anonymous)', 'plain object'],
      ['a string with half a surrogate pair', 'a\uD83D', 'half a surrogate pair', 'toWellFormed()'],
    ])('%s', (_name, value, what, cure) => {
      const error = refusalOf(value);
      expect(error.code).toBe('INVALID_VALUE');
      expect(error.path).toBe('');
      expect(error.message).toContain(what);
      expect(error.message).toContain(cure);
      expect(error.message).not.toContain('(at ');
      if (value !== undefined) expect(refusalOf({ member: value as unknown }).path).toBe('.member');
      expect(refusalOf([0, value]).path).toBe('[1]');
    });

    it('a date, a map and a set of another realm', () => {
      for (const source of ['new Date(0)', 'new Map()', 'new Set()', 'new (class Point {})()']) expect(refusalOf(runInNewContext(source)).path).toBe('');
    });

    it('a member whose name holds half a surrogate pair', () => {
      const error = refusalOf({ a: { 'b\uDE00': 1 } });
      expect(error.path).toBe('.a["b\\ude00"]');
      expect(error.message).toContain('rename it');
    });

    it('undefined and a hole in an array', () => {
      expect(refusalOf({ a: [1, undefined] })).toMatchObject({ path: '.a[1]', message: 'JSON cannot keep undefined in an array (at .a[1]): use null.' });
      // eslint-disable-next-line no-sparse-arrays
      expect(refusalOf({ a: [1, , 2] })).toMatchObject({ path: '.a[1]', message: 'JSON cannot keep a hole in an array (at .a[1]): use null.' });
      expect(refusalOf(new Array(1_000_000_000)).path).toBe('[0]');
    });

    it('what contains itself', () => {
      const object: Record<string, unknown> = {};
      object['self'] = { object };
      const array: unknown[] = [];
      array.push(array);
      for (const cyclic of [object, array, { a: [object] }]) expect(refusalOf(cyclic).message).toContain('contains itself');
    });

    it('501 levels, be the innermost empty or not', () => {
      for (const value of [nested(501), nested(501, ['leaf']), { a: nested(500) }, nested(501, {})]) expect(refusalOf(value).message).toContain('deeper than 500 levels');
    });

    it('a form of its own that an object would take in JSON, and does not call for it', () => {
      const called: string[] = [];
      const toJSON = (): string => {
        called.push('toJSON');
        return 'another';
      };
      const ownForms = [{ toJSON }, Object.defineProperty({}, 'toJSON', { value: toJSON }), Object.assign([1], { toJSON }), Object.assign(Object.create(null) as object, { toJSON })];
      for (const value of ownForms) expect(refusalOf({ a: value })).toMatchObject({ path: '.a', message: expect.stringContaining('a toJSON method') as string });
      expect(called).toEqual([]);
    });
  });

  describe('tells where', () => {
    it('as one would write it', () => {
      expect(refusalOf({ items: [0, { 'two words': { größe: 1n } }] }).path).toBe('.items[1]["two words"].größe');
      expect(refusalOf({ items: [0, 1n] }).message).toBe('JSON cannot keep a bigint (at .items[1]): store String(value), or use withCodec.');
    });

    it('also where what is wrong comes after much that is not', () => {
      expect(refusalOf({ a: [[1, { b: 2 }], 'text', null, true], c: [{ d: {} }, { e: Number.NaN }] }).path).toBe('.c[1].e');
    });

    it('wherever it stands', () => {
      const place = fc.array(fc.oneof(fc.nat({ max: 3 }), fc.constantFrom('a', 'b c')), { maxLength: 8 });
      fc.assert(
        fc.property(place, fc.constantFrom<unknown>(Number.NaN, 1n, new Date(), '\uD800'), (steps, wrong) => {
          const value = steps.reduceRight<unknown>((inner, step) => (typeof step === 'number' ? [...Array<number>(step).fill(0), inner] : { before: 0, [step]: inner }), wrong);
          const path = steps.map((step) => (typeof step === 'number' ? `[${step}]` : step === 'a' ? '.a' : '["b c"]')).join('');
          expect(refusalOf(value).path).toBe(path);
        }),
        runs,
      );
    });
  });

  it('never makes a text from which JSON.parse would make something else, whatever it is given', () => {
    const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true, withSparseArray: true, withTypedArray: true, withObjectString: true, withBoxedValues: true, stringUnit: 'binary' });
    fc.assert(
      fc.property(anything, (value) => {
        let json: string;
        try {
          json = encodeJson(value);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidValueError);
          return;
        }
        expect(withoutNegativeZero(JSON.parse(json))).toEqual(withoutNegativeZero(value));
      }),
      { numRuns: 1_000, seed: 1 },
    );
  });
});

/** A copy in which -0 is 0 and undefined members are left out. */
function withoutNegativeZero(value: unknown): unknown {
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map(withoutNegativeZero);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).flatMap(([name, item]) => (item === undefined ? [] : [[name, withoutNegativeZero(item)] as const]));
  return new Map(members); // as an object, `__proto__` would be lost
}
