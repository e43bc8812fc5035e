/** By this such a listener is known, also of another copy of this package: each would take the other for the program, which has met the error. */
const toleratesLateWrites: unique symbol = Symbol.for('rx-persistify: tolerates late writes');

/**
 * While stores are closing, a write throws `StoreClosedError`. Where the program does not catch that, it would end at once,
 * and the saving with it. Lets such an error pass until the returned function is called; every other one ends the
 * program as ever.
 */
export function tolerateLateWrites(): () => void {
  process.on('uncaughtException', onUncaught);
  return () => process.off('uncaughtException', onUncaught);
}

const onUncaught = Object.assign(
  (error: unknown): void => {
    if (isLateWrite(error)) return;
    // Who listens too has met it. If nobody does, Node would have ended the program, had we not listened.
    if (!process.listeners('uncaughtException').every((listener) => toleratesLateWrites in listener)) return;
    console.error('Uncaught', error);
    process.exit(1);
  },
  { [toleratesLateWrites]: true },
);

/** By its code, not by its class: the store may be of another copy of this package. */
function isLateWrite(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORE_CLOSED';
}
