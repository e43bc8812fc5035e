export type { Closable, Unsaved } from './closing.ts';
export type { ExitSignal, FlushOnExitOptions } from './exit-options.ts';
export { flushOnExit } from './flush-on-exit.ts';
