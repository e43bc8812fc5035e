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
    check(value);
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
  check(value);
}

/** What JSON would not keep, and where: its steps are gathered on the way back, innermost first, so that a walk that finds nothing pays for none. */
interface Objection {
  readonly steps: (string | number)[];
  readonly toError: (path: readonly (string | number)[]) => InvalidValueError;
}

function check(value: unknown): void {
  const objection = objectionTo(value, 0);
  if (objection !== undefined) throw objection.toError(objection.steps.reverse());
}

/**
 * Walks the value for what JSON would not keep. A walk and then `JSON.stringify` is faster than a replacer or a serializer
 * of one's own, and `JSON.stringify` alone leaves no trace of a Date, a Map or a NaN.
 */
function objectionTo(value: unknown, depth: number): Objection | undefined {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? undefined : refused('a string with half a surrogate pair', 'mend it with text.toWellFormed()');
    case 'number':
      return Number.isFinite(value) ? undefined : refused(String(value), 'use null, or use withCodec');
    case 'boolean':
      return undefined;
    case 'object':
      return value === null ? undefined : objectionToObject(value, depth);
    case 'undefined':
      return refused('undefined', 'use null, or delete the key');
    case 'bigint':
      return refused('a bigint', 'store String(value), or use withCodec');
    case 'symbol':
      return refused('a symbol', 'store its description');
    case 'function':
      return refused('a function', 'store data only');
  }
}

function objectionToObject(object: object, depth: number): Objection | undefined {
  if (depth >= MAX_DEPTH) return { steps: [], toError: tooDeep };
  const { toJSON }: { readonly toJSON?: unknown } = object; // Reflect.get would look it up anew each time
  if (typeof toJSON === 'function') return ownForm(object);
  return Array.isArray(object) ? objectionToItems(object, depth + 1) : objectionToMembers(object as Readonly<Record<string, unknown>>, depth + 1);
}

/** Named members of an array are left out, as JSON does: to look for them would double the cost of a long one. */
function objectionToItems(array: readonly unknown[], depth: number): Objection | undefined {
  // The prototype of arrays is an array itself, in every realm; that of a class of arrays is none.
  if (!Array.isArray(Object.getPrototypeOf(array))) return notPlain(array);
  for (let index = 0; index < array.length; index++) {
    const item = array[index];
    if (item === undefined) return below(index, refused(index in array ? 'undefined in an array' : 'a hole in an array', 'use null'));
    const objection = objectionTo(item, depth);
    if (objection !== undefined) return below(index, objection);
  }
  return undefined;
}

function objectionToMembers(object: Readonly<Record<string, unknown>>, depth: number): Objection | undefined {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null && !isObjectPrototype(prototype)) return notPlain(object);
  // Three times as fast as Object.entries. Members whose name is a symbol are left out, as JSON does: to look for them
  // would cost more than all else here.
  for (const member in object) {
    if (!Object.prototype.hasOwnProperty.call(object, member)) continue; // costs nothing in such a loop, other than Object.hasOwn
    if (!member.isWellFormed()) return below(member, refused('a member whose name holds half a surrogate pair', 'rename it'));
    const item = object[member];
    if (item === undefined) continue;
    const objection = objectionTo(item, depth);
    if (objection !== undefined) return below(member, objection);
  }
  return undefined;
}

/** An object of another realm (a frame, a vm) has another `Object.prototype`, told by having none above it and what each has. */
function isObjectPrototype(prototype: unknown): boolean {
  return typeof prototype === 'object' && prototype !== null && Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

/** What has a form of its own in JSON would come back as that, and not as what it is. */
function ownForm(object: object): Objection {
  if (object instanceof Date) return refused('a Date', 'store date.toISOString() or date.getTime(), or use withCodec');
  return refused('an object with a toJSON method', 'store what that gives, or use withCodec');
}

function notPlain(object: object): Objection {
  if (object instanceof Map) return refused('a Map', 'store [...map], or use withCodec');
  if (object instanceof Set) return refused('a Set', 'store [...set], or use withCodec');
  const constructor: unknown = Reflect.get(object, 'constructor');
  const name = typeof constructor === 'function' && constructor.name !== '' ? constructor.name : '(anonymous)';
  return refused(`an instance of the class ${name}`, `store a plain ${Array.isArray(object) ? 'array such as [...value]' : 'object such as { ...value }'}, or use withCodec`);
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

function refused(what: string, cure: string): Objection {
  const toError = (path: readonly (string | number)[]): InvalidValueError => {
    const where = showPath(path);
    return new InvalidValueError(`JSON cannot keep ${what}${where === '' ? '' : ` (at ${where})`}: ${cure}.`, where);
  };
  return { steps: [], toError };
}

/** `objection` as that of what has it at `step`. */
function below(step: string | number, objection: Objection): Objection {
  objection.steps.push(step);
  return objection;
}

function showPath(path: readonly (string | number)[]): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`)).join('');
}
