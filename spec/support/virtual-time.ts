import { vi } from 'vitest';

/** Timers and clocks stand still until the test moves them; turns of the event loop go on as ever. */
export function useVirtualTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
}
