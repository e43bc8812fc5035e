import { InvalidValueError } from './errors.ts';

/** What JSON keeps exactly. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [member: string]: JsonValue | undefined };

const MAX_DEPTH = 500;

/**
 * The JSON text of `value`, from which `JSON.parse` makes an equal one. An `undefined` member of an object is left out and
 * -0 becomes 0, as `JSON.stringify` has it; what it would change silently beyond that is refused.
 * @throws InvalidValueError with the path to what JSON cannot keep, and what to do about it.
 */
export function encodeJson(value: unknown): string {
  try {
    check(value, []);
    // A third of the time that JSON.stringify takes for them.
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    const text = JSON.stringify(value) as string | undefined; // an object whose toJSON comes and goes has none
    if (text !== undefined) return text;
  } catch (cause) {
    throw cause instanceof InvalidValueError ? cause : unreadable(cause);
  }
  throw unreadable(undefined);
}

/**
 * Holds what was parsed to the rules for what is set: a text can state what no value may be, such as 1e400, half a surrogate
 * pair, or a hundred thousand levels, over which whoever walks the value may fall.
 * @throws InvalidValueError
 */
export function checkJson(value: unknown): asserts value is JsonValue {
  check(value, []);
}

/**
 * Walks the value for what JSON would not keep. A walk and then `JSON.stringify` is faster than a replacer or a serializer
 * of one's own, and `JSON.stringify` alone leaves no trace of a Date, a Map or a NaN.
 */
function check(value: unknown, path: (string | number)[]): void {
  switch (typeof value) {
    case 'string':
      checkString(value, path);
      return;
    case 'number':
      checkNumber(value, path);
      return;
    case 'boolean':
      return;
    case 'object':
      if (value === null) return;
      if (path.length >= MAX_DEPTH) throw tooDeep(path);
      if (typeof Reflect.get(value, 'toJSON') === 'function') throw ownForm(value, path);
      if (Array.isArray(value)) checkArray(value, path);
      else checkObject(value, path);
      return;
    case 'undefined':
      throw refused(path, 'undefined', 'use null, or delete the key');
    case 'bigint':
      throw refused(path, 'a bigint', 'store String(value), or use withCodec');
    case 'symbol':
      throw refused(path, 'a symbol', 'store its description');
    case 'function':
      throw refused(path, 'a function', 'store data only');
  }
}

function checkString(text: string, path: readonly (string | number)[]): void {
  if (!text.isWellFormed()) throw refused(path, 'a string with half a surrogate pair', 'mend it with text.toWellFormed()');
}

function checkNumber(number: number, path: readonly (string | number)[]): void {
  if (!Number.isFinite(number)) throw refused(path, String(number), 'use null, or use withCodec');
}

/** Named members of an array are left out, as JSON does: to look for them would double the cost of a long one. */
function checkArray(array: readonly unknown[], path: (string | number)[]): void {
  // The prototype of arrays is an array itself, in every realm; that of a class of arrays is none.
  if (!Array.isArray(Object.getPrototypeOf(array))) throw notPlain(array, path);
  for (let index = 0; index < array.length; index++) {
    const item = array[index];
    if (item === undefined) {
      path.push(index);
      throw index in array ? refused(path, 'undefined in an array', 'use null') : refused(path, 'a hole in an array', 'use null');
    }
    if (typeof item === 'boolean' || item === null) continue;
    path.push(index);
    check(item, path);
    path.pop();
  }
}

function checkObject(object: object, path: (string | number)[]): void {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null && !isObjectPrototype(prototype)) throw notPlain(object, path);
  // Three times as fast as Object.entries. Members whose name is a symbol are left out, as JSON does: to look for them
  // would cost more than all else here.
  for (const member in object) {
    if (!Object.hasOwn(object, member)) continue;
    if (!member.isWellFormed()) throw refused([...path, member], 'a member whose name holds half a surrogate pair', 'rename it');
    const item: unknown = Reflect.get(object, member);
    if (item === undefined || typeof item === 'boolean' || item === null) continue;
    path.push(member);
    check(item, path);
    path.pop();
  }
}

/** An object of another realm (a frame, a vm) has another `Object.prototype`, told by having none above it and what each has. */
function isObjectPrototype(prototype: unknown): boolean {
  return typeof prototype === 'object' && prototype !== null && Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

/** What has a form of its own in JSON would come back as that, and not as what it is. */
function ownForm(object: object, path: readonly (string | number)[]): InvalidValueError {
  if (object instanceof Date) return refused(path, 'a Date', 'store date.toISOString() or date.getTime(), or use withCodec');
  return refused(path, 'an object with a toJSON method', 'store what that gives, or use withCodec');
}

function notPlain(object: object, path: readonly (string | number)[]): InvalidValueError {
  if (object instanceof Map) return refused(path, 'a Map', 'store [...map], or use withCodec');
  if (object instanceof Set) return refused(path, 'a Set', 'store [...set], or use withCodec');
  const constructor: unknown = Reflect.get(object, 'constructor');
  const name = typeof constructor === 'function' && constructor.name !== '' ? constructor.name : '(anonymous)';
  return refused(path, `an instance of the class ${name}`, `store a plain ${Array.isArray(object) ? 'array such as [...value]' : 'object such as { ...value }'}, or use withCodec`);
}

/** An accessor or a proxy threw, or there is more of it than a string can hold. */
function unreadable(cause: unknown): InvalidValueError {
  const reason = cause instanceof Error ? ` (${cause.message})` : '';
  return new InvalidValueError(`The value could not be made JSON${reason}: store plain data, and of great amounts a part a key.`, '', { cause });
}

function tooDeep(path: readonly (string | number)[]): InvalidValueError {
  return new InvalidValueError(
    `The value is nested deeper than ${MAX_DEPTH} levels or contains itself, below ${showPath(path.slice(0, 5))}…: flatten it, or refer to parts by key.`,
    showPath(path),
  );
}

function refused(path: readonly (string | number)[], what: string, cure: string): InvalidValueError {
  const where = showPath(path);
  return new InvalidValueError(`JSON cannot keep ${what}${where === '' ? '' : ` (at ${where})`}: ${cure}.`, where);
}

function showPath(path: readonly (string | number)[]): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`)).join('');
}
