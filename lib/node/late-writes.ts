import { StoreClosedError } from '../errors.ts';

/**
 * While stores are closing, a write throws `StoreClosedError`. Where the program does not catch that, it would end at once,
 * and the saving with it. Lets such an error pass until the returned function is called; every other one ends the
 * program as ever.
 */
export function tolerateLateWrites(): () => void {
  process.on('uncaughtException', onUncaught);
  return () => process.off('uncaughtException', onUncaught);
}

function onUncaught(error: unknown): void {
  if (error instanceof StoreClosedError) return;
  // Who listens too has met it. If nobody does, Node would have ended the program, had we not listened.
  if (process.listeners('uncaughtException').some((listener) => listener !== onUncaught)) return;
  console.error('Uncaught', error);
  process.exit(1);
}
