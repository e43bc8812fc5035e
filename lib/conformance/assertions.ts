/** Why a provider does not conform. */
export class ConformanceError extends Error {
  override readonly name = 'ConformanceError';
}

export function fail(message: string): never {
  throw new ConformanceError(message);
}

/** Compares plain data by content. */
export function equal<T>(actual: T, expected: NoInfer<T>, what: string): void {
  if (Object.is(actual, expected)) return;
  const [actualText, expectedText] = [textOf(actual), textOf(expected)];
  if (actualText === expectedText) return;
  fail(`${what}: expected ${excerpt(expectedText, actualText)}, but got ${excerpt(actualText, expectedText)}`);
}

/** Compares dictionaries, and names what is missing, what is too much, and what differs. */
export function equalContents(actual: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>, what: string): void {
  for (const [key, json] of expected) {
    const stored = actual.get(key);
    if (stored === undefined) fail(`${what}: expected the key ${show(key)} with ${show(json)}, but it is absent`);
    if (stored !== json) equal(stored, json, `${what}: the value of ${show(key)}`);
  }
  for (const [key, json] of actual) {
    if (!expected.has(key)) fail(`${what}: expected no key ${show(key)}, but got it with ${show(json)}`);
  }
}

export function isTrue(condition: boolean, what: string, actual: unknown): asserts condition {
  if (!condition) fail(`${what}: expected so, but got ${show(actual)}`);
}

export function isAbove(actual: number, bound: number, what: string): void {
  if (!(actual > bound)) fail(`${what}: expected more than ${bound}, but got ${actual}`);
}

export function isAtLeast(actual: number, bound: number, what: string): void {
  if (!(actual >= bound)) fail(`${what}: expected at least ${bound}, but got ${actual}`);
}

/** Compares codes, not classes: a suite and a provider may stand on two copies of this library. */
export async function rejectsWith(code: string, promise: Promise<unknown>, what: string): Promise<void> {
  try {
    await promise;
  } catch (error) {
    equal(codeOf(error), code, `${what}: the code of ${String(error)}`);
    return;
  }
  fail(`${what}: expected a rejection with the code ${code}, but it resolved`);
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Rejects if `promise` takes longer than that. */
export async function inTime<T>(promise: Promise<T>, what: string, limitMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConformanceError(`${what}: expected within ${limitMs} ms, but it has not come`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function show(value: unknown): string {
  const text = textOf(value);
  return excerpt(text, text);
}

function textOf(value: unknown): string {
  return value === undefined ? 'undefined' : JSON.stringify(value);
}

/** The part of a long text where it begins to differ from another. */
function excerpt(text: string, other: string): string {
  if (text.length <= 160) return text;
  let from = 0;
  while (from < text.length && text[from] === other[from]) from += 1;
  if (from === text.length) from = 0;
  const start = Math.max(0, from - 40);
  return `${start > 0 ? '…' : ''}${text.slice(start, start + 120)}… (${text.length} characters)`;
}
