import type { StandardSchemaV1 } from '@standard-schema/spec';
import { decode as zodDecode, encode as zodEncode, type core } from 'zod/mini';

import { CorruptDataError, InvalidValueError, ValidationError } from './errors.ts';
import { checkJson, encodeJson } from './json-value.ts';

/** Turns values into what JSON keeps, and back: for dates, sets and the like. A codec of zod 4 is one. */
export interface Codec<V = never, J = never> {
  encode(value: V): J;
  decode(json: J): V;
}

/** A Standard Schema for all values, or an object with one for each key. */
export type Schema = StandardSchemaV1 | Readonly<Record<string, StandardSchemaV1>>;

/** How a store's values are checked and become text. */
export interface ValueFormat {
  /** What the schema makes of `input`. @throws ValidationError */
  readonly validate: (key: string, input: unknown) => unknown;
  /** @throws InvalidValueError, which names `key` */
  readonly toText: (value: unknown, key?: string) => string;
  /** @throws CorruptDataError */
  readonly fromText: (key: string, json: string) => unknown;
}

/** Values go through the schema, then the codec, then JSON; stored ones come back the same way, and through the schema again. */
export function valueFormat(schema: Schema | undefined, codec: Codec | undefined): ValueFormat {
  const validate = validator(schema);
  const { encode, decode } = converter(codec);
  return {
    validate,
    toText: (value, key) => {
      try {
        return encodeJson(codec === undefined || value === undefined ? value : encode(value));
      } catch (error) {
        throw key === undefined ? error : ofKey(error, key);
      }
    },
    fromText: (key, json) => {
      try {
        if (json === '') throw new SyntaxError('there is no text of it, or one too long to be taken');
        const plain: unknown = JSON.parse(json);
        checkJson(plain);
        const value = validate(key, decode(plain));
        if (value === undefined) throw new TypeError('it becomes undefined, which is no value');
        return value;
      } catch (cause) {
        throw new CorruptDataError(`What is stored under ${JSON.stringify(key)} cannot be read: ${messageOf(cause)}`, { key, cause });
      }
    },
  };
}

function ofKey(error: unknown, key: string): unknown {
  if (!(error instanceof InvalidValueError)) return error;
  const { message, path, cause } = error;
  return new InvalidValueError(`The value for ${JSON.stringify(key)} cannot be stored: ${message}`, path, { key, ...(cause === undefined ? {} : { cause }) });
}

function converter(codec: Codec | undefined): { encode: (value: unknown) => unknown; decode: (json: unknown) => unknown } {
  if (codec === undefined) return { encode: (value) => value, decode: (json) => json };
  // A codec takes the values it was typed for; those of the store are of that type, as the builder saw to.
  const typed = codec as unknown as Codec<unknown, unknown>;
  const zod = isZodType(codec) ? codec : undefined;
  return {
    encode: (value) => {
      try {
        return zod === undefined ? typed.encode(value) : zodEncode(zod, value);
      } catch (cause) {
        throw new InvalidValueError(`The codec could not encode the value: ${messageOf(cause)}`, '', { cause });
      }
    },
    decode: (json) => (zod === undefined ? typed.decode(json) : zodDecode(zod, json)),
  };
}

/** Whether `value` is of zod 4, or of its mini edition, whose codecs are worked by functions and not by methods. */
export function isZodType(value: unknown): value is core.$ZodType {
  return typeof value === 'object' && value !== null && '_zod' in value;
}

function validator(schema: Schema | undefined): ValueFormat['validate'] {
  if (schema === undefined) return (_key, input) => input;
  if ('~standard' in schema) return (key, input) => run(schema as StandardSchemaV1, key, input); // its `~standard` tells it
  const schemas = new Map(Object.entries(schema));
  return (key, input) => {
    const ofKey = schemas.get(key);
    if (ofKey === undefined) {
      throw new ValidationError(`The schema has no key ${JSON.stringify(key)}; it has ${[...schemas.keys()].join(', ')}.`, []);
    }
    return run(ofKey, key, input);
  };
}

function run(schema: StandardSchemaV1, key: string, input: unknown): unknown {
  const result = attempt(schema, key, input);
  if (isPromiseLike(result)) {
    result.then(ignore, ignore); // nobody waits for it, and a rejection that nobody hears ends a process of Node
    throw new ValidationError(`The schema for ${JSON.stringify(key)} answers with a promise (one of zod also when it throws); a store needs one that answers at once.`, []);
  }
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map((issue) => ({ message: issue.message, path: pathOf(issue) }));
  const told = issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  throw new ValidationError(`The value for ${JSON.stringify(key)} does not satisfy the schema: ${told}`, issues);
}

function attempt(schema: StandardSchemaV1, key: string, input: unknown): ReturnType<StandardSchemaV1['~standard']['validate']> {
  try {
    return schema['~standard'].validate(input);
  } catch (cause) {
    throw new ValidationError(`The schema for ${JSON.stringify(key)} threw: ${messageOf(cause)}`, [], { cause });
  }
}

function isPromiseLike<T>(result: T | PromiseLike<T>): result is PromiseLike<T> {
  return typeof result === 'object' && result !== null && 'then' in result;
}

function ignore(): void {
  // What it says is of no use.
}

function pathOf(issue: StandardSchemaV1.Issue): string {
  return (issue.path ?? []).map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
