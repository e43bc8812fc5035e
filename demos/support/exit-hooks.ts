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
