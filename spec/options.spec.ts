import { type } from 'arktype';
import { asyncScheduler, queueScheduler, VirtualTimeScheduler } from 'rxjs';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import * as zm from 'zod/mini';

import { OptionsError } from '../lib/errors.ts';
import { checkOption, checkOptions, checkProvider } from '../lib/options.ts';

function messageOf(check: () => void): string {
  try {
    check();
  } catch (error) {
    if (error instanceof OptionsError) return error.message;
    throw error;
  }
  throw new Error('accepted');
}

const refusalOf = (options: unknown): string => messageOf(() => checkOptions(options, 'persistify'));
const accept = (options: unknown): void => expect(() => checkOptions(options, 'persistify')).not.toThrow();

describe('options', () => {
  it('may be none, some or all', () => {
    accept({});
    accept({ batch: {}, retry: {}, limits: {} });
    accept({
      batch: { size: 1, intervalMs: 0 },
      retry: { maxAttempts: 1, delayMs: 0, maxDelayMs: 2 ** 31 - 1, probeMs: 0.5 },
      limits: { pendingKeys: 1, pendingBytes: Infinity },
      schema: z.string(),
      codec: { encode: String, decode: Number },
      scheduler: asyncScheduler,
      throwOnFailure: false,
    });
  });

  it('take undefined for what is not said', () => {
    accept({ batch: undefined, retry: { maxAttempts: undefined }, schema: undefined, throwOnFailure: undefined });
  });

  it.each([
    ['persistify: batch.size must be a whole number of at least 1, not 0.', { batch: { size: 0 } }],
    ['persistify: batch.size must be a whole number of at least 1, not 1.5.', { batch: { size: 1.5 } }],
    ['persistify: batch.size must be a whole number of at least 1, not "10".', { batch: { size: '10' } }],
    ['persistify: batch.size must be a whole number of at least 1, not 10n.', { batch: { size: 10n } }],
    ['persistify: batch.size must be a whole number of at least 1, not Infinity.', { batch: { size: Infinity } }],
    ['persistify: batch.intervalMs must be a number of milliseconds from 0 to 2147483647, not -1.', { batch: { intervalMs: -1 } }],
    ['persistify: batch.intervalMs must be a number of milliseconds from 0 to 2147483647, not 2147483648.', { batch: { intervalMs: 2 ** 31 } }],
    ['persistify: batch.intervalMs must be a number of milliseconds from 0 to 2147483647, not NaN.', { batch: { intervalMs: Number.NaN } }],
    ['persistify: batch.intervalMs must be a number of milliseconds from 0 to 2147483647, not null.', { batch: { intervalMs: null } }],
    ['persistify: batch must be an object of options, not 10.', { batch: 10 }],
    ['persistify: batch must be an object of options, not an array.', { batch: [] }],
    ['persistify: retry.maxAttempts must be a whole number of at least 1, not 0.', { retry: { maxAttempts: 0 } }],
    ['persistify: retry.delayMs must be a number of milliseconds from 0 to 2147483647, not "1s".', { retry: { delayMs: '1s' } }],
    ['persistify: retry.probeMs must be a number of milliseconds from 0 to 2147483647, not a function.', { retry: { probeMs: () => 1 } }],
    ['persistify: limits.pendingKeys must be a number of at least 1, not 0.', { limits: { pendingKeys: 0 } }],
    ['persistify: limits.pendingBytes must be a number of at least 1, not NaN.', { limits: { pendingBytes: Number.NaN } }],
    ['persistify: schema must be a Standard Schema (zod, valibot, arktype …), or an object with one for each key, not "string".', { schema: 'string' }],
    ['persistify: schema must be a Standard Schema (zod, valibot, arktype …), or an object with one for each key, not an object.', { schema: { a: z.string(), b: String } }],
    ['persistify: codec must be an object with the functions encode and decode, or a zod codec, not an object.', { codec: { encode: String } }],
    ['persistify: scheduler must be an RxJS scheduler, not an object.', { scheduler: { now: Date.now } }],
    ['persistify: throwOnFailure must be true or false, not 1.', { throwOnFailure: 1 }],
    ['persistify: the argument must be an object of options, not null.', null],
    ['persistify: the argument must be an object of options, not "fast".', 'fast'],
  ])('are refused with the name, what was expected and what came: %s', (message, options) => {
    expect(refusalOf(options)).toBe(message);
  });

  it('are refused all at once', () => {
    expect(refusalOf({ batch: { size: 0 }, throwOnFailure: 1 })).toBe('persistify: batch.size must be a whole number of at least 1, not 0. persistify: throwOnFailure must be true or false, not 1.');
  });

  it.each([
    ['persistify: there is no option bach. Did you mean batch? Known are batch, retry, limits, ttl, schema, codec, scheduler, throwOnFailure.', { bach: {} }],
    ['persistify: there is no option ThrowOnFailure. Did you mean throwOnFailure? Known are batch, retry, limits, ttl, schema, codec, scheduler, throwOnFailure.', { ThrowOnFailure: true }],
    ['persistify: there is no option colour. Known are batch, retry, limits, ttl, schema, codec, scheduler, throwOnFailure.', { colour: 1 }],
    ['persistify: there is no option batch.interval. Did you mean intervalMs? Known are size, intervalMs.', { batch: { interval: 1 } }],
    ['persistify: there is no option retry.maxAttempt. Did you mean maxAttempts? Known are maxAttempts, delayMs, maxDelayMs, probeMs.', { retry: { maxAttempt: 1 } }],
    ['persistify: there is no option limits.PENDINGKEYS. Did you mean pendingKeys? Known are pendingKeys, pendingBytes.', { limits: { PENDINGKEYS: 1 } }],
    ['persistify: there is no option __proto__. Known are batch, retry, limits, ttl, schema, codec, scheduler, throwOnFailure.', JSON.parse('{"__proto__":{}}')],
  ])('of unknown names are refused, with a guess at the one meant: %s', (message, options) => {
    expect(refusalOf(options)).toBe(message);
  });

  it('of unknown names are told each', () => {
    expect(refusalOf({ batch: { sice: 1, interval: 2 } })).toBe(
      'persistify: there is no option batch.sice. Did you mean size? Known are size, intervalMs. persistify: there is no option batch.interval. Did you mean intervalMs? Known are size, intervalMs.',
    );
  });

  it('have the name of the method that takes them alone', () => {
    expect(messageOf(() => checkOption('batch', { size: 0 }, 'withBatch'))).toBe('withBatch: size must be a whole number of at least 1, not 0.');
    expect(messageOf(() => checkOption('batch', { sizes: 1 }, 'withBatch'))).toBe('withBatch: there is no option sizes. Did you mean size? Known are size, intervalMs.');
    expect(messageOf(() => checkOption('batch', undefined, 'withBatch'))).toBe('withBatch: the argument must be an object of options, not undefined.');
    expect(messageOf(() => checkOption('throwOnFailure', 'no', 'throwOnFailure'))).toBe('throwOnFailure: the argument must be true or false, not "no".');
  });

  it('tell what came without its contents', () => {
    const message = refusalOf({ codec: { password: 'secret' }, batch: { size: 'x'.repeat(1_000) } });
    expect(message).not.toContain('secret');
    expect(message.length).toBeLessThan(400);
  });
});

describe('the option', () => {
  it.each([
    ['of zod', z.string()],
    ['of zod/mini', zm.string()],
    ['of valibot', v.string()],
    ['of arktype, which is a function', type('string')],
    ['by key, of any', { a: z.string(), b: v.string(), c: type('string') }],
  ])('schema takes one %s', (_name, schema) => {
    expect(() => checkOption('schema', schema, 'withSchema')).not.toThrow();
  });

  const functions = { decode: (text: string) => new Date(text), encode: (date: Date) => date.toISOString() };

  class DateCodec {
    encode(date: Date): string {
      return date.toISOString();
    }

    decode(text: string): Date {
      return new Date(text);
    }
  }

  it.each([
    ['of two functions', functions],
    ['that is an instance of a class', new DateCodec()],
    ['of zod', z.codec(z.iso.datetime(), z.date(), functions)],
    ['of zod/mini, which has no methods', zm.codec(zm.iso.datetime(), zm.date(), functions)],
    ['of zod that holds one', z.object({ at: z.codec(z.iso.datetime(), z.date(), functions) })],
  ])('codec takes one %s', (_name, codec) => {
    expect(() => checkOption('codec', codec, 'withCodec')).not.toThrow();
  });

  it('scheduler takes any of RxJS', () => {
    for (const scheduler of [asyncScheduler, queueScheduler, new VirtualTimeScheduler()]) expect(() => checkOption('scheduler', scheduler, 'withScheduler')).not.toThrow();
  });
});

describe('a provider', () => {
  it('is anything that opens', () => {
    expect(() => checkProvider({ name: 'mine', open: () => undefined })).not.toThrow();
  });

  it.each([
    [undefined, 'undefined'],
    ['./data', '"./data"'],
    [{}, 'an object'],
    [() => undefined, 'a function'],
  ])('is not %s', (provider, came) => {
    expect(messageOf(() => checkProvider(provider))).toBe(`persistify(provider): expected a provider such as jsonFile({ directory }), sqlite({ file }), postgres({ connection }) or memory(), not ${came}.`);
  });
});
