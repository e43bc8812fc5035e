import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';

import { ProviderError } from '../errors.ts';

/** Descriptors that must be free before a package is loaded: one is in use for each file that is being read, and some threads may take some. */
const spareDescriptors = 4;

const require = createRequire(import.meta.url);

/**
 * Loads a package that a user may lack, at once, and again if it failed before: Node remembers for ever a failed `import`, and
 * that no package.json could be read, even where there were only no descriptors to read it with.
 * @throws ProviderError of kind `retry` if the process may open no more files; otherwise whatever loading it throws.
 */
export function loadPeer(name: string): unknown {
  checkDescriptors(name);
  return require(name);
}

/**
 * Where such a package has its main file; `undefined`: it is not installed.
 * @throws ProviderError of kind `retry` if the process may open no more files.
 */
export function findPeer(name: string): string | undefined {
  checkDescriptors(name);
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}

function checkDescriptors(name: string): void {
  const open: number[] = [];
  try {
    for (let count = 0; count < spareDescriptors; count++) open.push(openSync(process.execPath, 'r'));
  } catch (error) {
    if (!isExhausted(error)) return; // where that file cannot be read, nothing is known
    const message = `The package ${name} cannot be loaded while the process, or the system, may open no more files (${error.code}): close some, or raise the limit (ulimit -n).`;
    throw new ProviderError(message, { kind: 'retry', cause: error });
  } finally {
    open.forEach((descriptor) => closeSync(descriptor));
  }
}

function isExhausted(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE');
}
