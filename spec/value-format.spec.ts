import { type } from 'arktype';
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import * as zm from 'zod/mini';

import { CorruptDataError, InvalidValueError, ValidationError } from '../lib/errors.ts';
import { valueFormat, type Codec, type Schema } from '../lib/value-format.ts';

function errorOf(work: () => unknown): unknown {
  try {
    return { given: work() };
  } catch (error) {
    return error;
  }
}

/** A codec as the builder has it, which no longer tells what of. */
const anyCodec = <V, J>(codec: Codec<V, J>): Codec => codec as unknown as Codec;

const schemas: Readonly<Record<string, { readonly person: Schema; readonly name: Schema; readonly trimmed: Schema; readonly later: Schema }>> = {
  zod: {
    person: z.object({ name: z.string(), address: z.object({ streets: z.array(z.string()) }) }),
    name: z.string().min(2),
    trimmed: z.string().trim(),
    later: z.string().refine(() => Promise.resolve(true)),
  },
  'zod/mini': {
    person: zm.object({ name: zm.string(), address: zm.object({ streets: zm.array(zm.string()) }) }),
    name: zm.string().check(zm.minLength(2)),
    trimmed: zm.string().check(zm.trim()),
    later: zm.string().check(zm.refine(() => Promise.resolve(true))),
  },
  valibot: {
    person: v.object({ name: v.string(), address: v.object({ streets: v.array(v.string()) }) }),
    name: v.pipe(v.string(), v.minLength(2)),
    trimmed: v.pipe(v.string(), v.trim()),
    later: v.pipeAsync(v.string(), v.checkAsync(() => Promise.resolve(true))),
  },
  arktype: {
    person: type({ name: 'string', address: { streets: 'string[]' } }),
    name: type('string >= 2'),
    trimmed: type('string.trim'),
    // arktype has none that waits; any library may.
    later: { '~standard': { version: 1, vendor: 'a test', validate: () => Promise.resolve({ value: 1 }) } },
  },
};

describe.each(Object.entries(schemas))('values with a schema of %s', (_name, { person, name, trimmed, later }) => {
  const good = { name: 'Ann', address: { streets: ['High Street'] } };
  const bad = { name: 'Ann', address: { streets: ['High Street', 7] } };

  it('are what it accepts', () => {
    expect(valueFormat(person, undefined).validate('ann', good)).toEqual(good);
  });

  it('are refused otherwise, with the path in the value and the words of the schema', () => {
    const error = errorOf(() => valueFormat(person, undefined).validate('ann', bad));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({ code: 'VALIDATION', issues: [{ path: 'address.streets.1' }] });
    expect((error as ValidationError).message).toMatch(/^The value for "ann" does not satisfy the schema: address\.streets\.1: .*(string|expected)/i);
    expect((error as ValidationError).message).not.toContain('High Street');
  });

  it('are what it makes of them', () => {
    const format = valueFormat(trimmed, undefined);
    expect(format.toText(format.validate('key', '  a '))).toBe('"a"');
  });

  it('are validated again when they are loaded', () => {
    const { fromText } = valueFormat(person, undefined);
    expect(fromText('ann', JSON.stringify(good))).toEqual(good);
    const error = errorOf(() => fromText('ann', JSON.stringify(bad)));
    expect(error).toBeInstanceOf(CorruptDataError);
    expect(error).toMatchObject({ code: 'CORRUPT_DATA', key: 'ann', cause: expect.any(ValidationError) as unknown });
  });

  it('have each a schema of its key', () => {
    const { validate, fromText } = valueFormat({ ann: person, nick: name } as Schema, undefined);
    expect(validate('nick', 'An')).toBe('An');
    expect(validate('ann', good)).toEqual(good);
    expect(errorOf(() => validate('nick', good))).toBeInstanceOf(ValidationError);
    expect(errorOf(() => validate('nick', 'A'))).toBeInstanceOf(ValidationError);
    expect(errorOf(() => fromText('nick', '"A"'))).toBeInstanceOf(CorruptDataError);
  });

  it('are refused if it answers with a promise', () => {
    const error = errorOf(() => valueFormat(later, undefined).validate('key', 'a'));
    expect(error).toBeInstanceOf(ValidationError);
    expect((error as ValidationError).message).toBe('The schema for "key" answers with a promise (one of zod also when it throws); a store needs one that answers at once.');
    expect(errorOf(() => valueFormat(later, undefined).fromText('key', '"a"'))).toBeInstanceOf(CorruptDataError);
  });
});

describe('values with a schema by key', () => {
  const format = valueFormat({ theme: z.string() }, undefined);

  it('are refused under any other key, and it is said which there are', () => {
    expect(errorOf(() => format.validate('fontSize', 14))).toMatchObject({ code: 'VALIDATION', message: 'The schema has no key "fontSize"; it has theme.' });
  });

  it('are not taken for the members that every object has', () => {
    for (const key of ['toString', '__proto__', 'constructor']) expect(errorOf(() => format.validate(key, 'a'))).toBeInstanceOf(ValidationError);
  });
});

describe('values with a schema', () => {
  it('that throws are refused with its reason', () => {
    const fault = new TypeError('no such thing');
    const throwing = v.pipe(
      v.string(),
      v.check(() => {
        throw fault;
      }),
    );
    expect(errorOf(() => valueFormat(throwing, undefined).validate('key', 'a'))).toMatchObject({ code: 'VALIDATION', message: 'The schema for "key" threw: no such thing', cause: fault });
    expect(errorOf(() => valueFormat(throwing, undefined).fromText('key', '"a"'))).toBeInstanceOf(CorruptDataError);
  });

  it('of zod that throws are refused too, though its promise keeps the reason to itself', () => {
    const throwing = z.string().refine(() => {
      throw new TypeError('no such thing');
    });
    expect(errorOf(() => valueFormat(throwing, undefined).validate('key', 'a'))).toMatchObject({ code: 'VALIDATION', message: expect.stringContaining('also when it throws') as string });
  });

  it('whose promise rejects leave no rejection that nobody hears, which would end the process', async () => {
    const unheard: unknown[] = [];
    const listener = (reason: unknown): void => void unheard.push(reason);
    process.on('unhandledRejection', listener);
    const rejecting = v.pipeAsync(v.string(), v.checkAsync(() => Promise.reject(new Error('too late'))));
    expect(errorOf(() => valueFormat(rejecting as unknown as Schema, undefined).validate('key', 'a'))).toBeInstanceOf(ValidationError);
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off('unhandledRejection', listener);
    expect(unheard).toEqual([]);
  });

  it('that answers with something that can be waited for, be it no Promise, are refused', () => {
    const thenable = { then: () => undefined };
    const schema = { '~standard': { version: 1, vendor: 'a test', validate: () => thenable } } as unknown as Schema;
    expect(errorOf(() => valueFormat(schema, undefined).validate('key', 'a'))).toBeInstanceOf(ValidationError);
  });

  it('are filled in with its defaults, also when they are loaded', () => {
    const { validate, fromText } = valueFormat(z.object({ theme: z.string().default('light') }), undefined);
    expect(validate('key', {})).toEqual({ theme: 'light' });
    expect(fromText('key', '{}')).toEqual({ theme: 'light' });
  });

  it('are refused if it makes of them what JSON does not keep', () => {
    const format = valueFormat(z.coerce.date(), undefined);
    expect(errorOf(() => format.toText(format.validate('key', '2020-01-01')))).toMatchObject({ code: 'INVALID_VALUE', message: expect.stringContaining('withCodec') as string });
  });

  it('are refused if it makes nothing of them', () => {
    const format = valueFormat(z.string().transform(() => undefined), anyCodec({ encode: () => 1, decode: () => 'a' }));
    expect(errorOf(() => format.toText(format.validate('key', 'a')))).toBeInstanceOf(InvalidValueError);
    expect(errorOf(() => format.fromText('key', '1'))).toBeInstanceOf(CorruptDataError);
  });

  it('tell each issue, also one that concerns the whole', () => {
    const range = z.object({ from: z.number(), to: z.number() }).refine(({ from, to }) => from <= to, 'must not end before it begins');
    expect(errorOf(() => valueFormat(range, undefined).validate('key', { from: 2, to: 1 }))).toMatchObject({
      message: 'The value for "key" does not satisfy the schema: must not end before it begins',
      issues: [{ message: 'must not end before it begins', path: '' }],
    });
    expect((errorOf(() => valueFormat(range, undefined).validate('key', {})) as ValidationError).issues.map(({ path }) => path)).toEqual(['from', 'to']);
  });
});

describe('values without a schema', () => {
  const { validate, toText, fromText } = valueFormat(undefined, undefined);

  it('are any that JSON keeps', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        expect(JSON.stringify(fromText('key', toText(validate('key', value))))).toBe(JSON.stringify(value));
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('are the very objects that are given', () => {
    const value = { a: 1 };
    expect(validate('key', value)).toBe(value);
  });

  it('are corrupt if what is stored is JSON, and yet no value', () => {
    const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    for (const text of [nested(501), nested(100_000), '{"a":1e400}', '"\\ud800"', '{"\\udfff":1}']) expect(errorOf(() => fromText('key', text))).toMatchObject({ code: 'CORRUPT_DATA', key: 'key', cause: expect.any(InvalidValueError) as unknown });
    expect(fromText('key', nested(500))).toEqual(JSON.parse(nested(500)));
  });

  it('are corrupt if what is stored is no JSON', () => {
    for (const text of ['', '{', 'undefined', '{"a":1}x']) expect(errorOf(() => fromText('key', text))).toMatchObject({ code: 'CORRUPT_DATA', key: 'key', cause: expect.any(SyntaxError) as unknown });
  });
});

describe('values with a codec', () => {
  const dates = {
    zod: z.codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() }),
    'zod/mini': zm.codec(zm.iso.datetime(), zm.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() }) as unknown as Codec,
    'two functions': { encode: (date: Date) => date.toISOString(), decode: (text: string) => new Date(text) },
  };

  it.each(Object.entries(dates))('of %s become JSON and come back', (_name, codec) => {
    const { toText, fromText } = valueFormat(undefined, anyCodec(codec as Codec<Date, string>));
    expect(toText(new Date(0))).toBe('"1970-01-01T00:00:00.000Z"');
    expect(fromText('key', '"1970-01-01T00:00:00.000Z"')).toEqual(new Date(0));
  });

  it.each(Object.entries(dates))('of %s are refused if it cannot encode them', (_name, codec) => {
    const error = errorOf(() => valueFormat(undefined, anyCodec(codec as Codec<Date, string>)).toText('no date'));
    expect(error).toBeInstanceOf(InvalidValueError);
    expect(error).toMatchObject({ path: '', cause: expect.any(Error) as unknown, message: expect.stringMatching(/^The codec could not encode the value: /) as string });
  });

  it('of zod are corrupt if it cannot decode them, as those of two functions are', () => {
    for (const codec of [dates.zod, dates['zod/mini'], { encode: () => 1, decode: (text: string) => Reflect.get(JSON, text) as never }]) {
      const { fromText } = valueFormat(undefined, anyCodec(codec as Codec<Date, string>));
      expect(errorOf(() => fromText('key', '"no date"'))).toMatchObject({ code: 'CORRUPT_DATA', key: 'key', cause: expect.any(Error) as unknown });
    }
  });

  it('may hold a codec of zod anywhere', () => {
    const meeting = z.object({ at: z.array(dates.zod), room: z.string() });
    const { toText, fromText } = valueFormat(undefined, anyCodec(meeting as unknown as Codec));
    const value = { at: [new Date(0), new Date(1)], room: 'A' };
    expect(JSON.parse(toText(value))).toEqual({ at: ['1970-01-01T00:00:00.000Z', '1970-01-01T00:00:00.001Z'], room: 'A' });
    expect(fromText('key', toText(value))).toEqual(value);
  });

  it('go through the schema first, and through it again after they were decoded', () => {
    const seen: unknown[] = [];
    const schema = z.date().refine((date) => seen.push(date));
    const format = valueFormat(schema, anyCodec(dates.zod));
    expect(format.toText(format.validate('key', new Date(0)))).toBe('"1970-01-01T00:00:00.000Z"');
    expect(errorOf(() => format.validate('key', '1970-01-01T00:00:00.000Z'))).toBeInstanceOf(ValidationError);
    format.fromText('key', '"1970-01-01T00:00:00.000Z"');
    expect(seen).toEqual([new Date(0), new Date(0)]);
  });

  it('come back equal, whatever they are', () => {
    const sets = { encode: (set: ReadonlySet<string>) => [...set], decode: (items: string[]) => new Set(items) };
    const { toText, fromText } = valueFormat(undefined, anyCodec(sets));
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (items) => {
        const set = new Set(items);
        expect(fromText('key', toText(set))).toEqual(set);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('are refused if it makes of them what JSON does not keep', () => {
    const identity = anyCodec<unknown, unknown>({ encode: (value) => value, decode: (json) => json });
    for (const value of [new Map(), Number.NaN, Promise.resolve()]) expect(errorOf(() => valueFormat(undefined, identity).toText(value))).toBeInstanceOf(InvalidValueError);
  });

  it('are never undefined, even if it knows a text for that', () => {
    const { toText, fromText } = valueFormat(undefined, anyCodec<unknown, unknown>({ encode: () => null, decode: () => undefined }));
    expect(errorOf(() => toText(undefined))).toMatchObject({ code: 'INVALID_VALUE', message: expect.stringContaining('undefined') as string });
    expect(errorOf(() => fromText('key', 'null'))).toMatchObject({ code: 'CORRUPT_DATA', key: 'key' });
  });
});
