import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, isDeepStrictEqual } from 'node:util';

/** Runs `body` with a directory of its own, which is removed at the end, come what may. */
export async function inTemporaryDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-demo-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Heads a part of a demo's output. */
export function heading(text: string): void {
  console.log(`\n${text}`);
}

/** Prints what is claimed, and makes the program fail if it does not hold. */
export function check<T>(claim: string, actual: T, expected: T): void {
  if (isDeepStrictEqual(actual, expected)) {
    console.log(`  ✓ ${claim}`);
    return;
  }
  process.exitCode = 1;
  console.log(`  ✗ ${claim}: expected ${inspect(expected)}, got ${inspect(actual)}`);
}
