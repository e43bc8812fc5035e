import { persistify, type Provider } from 'rx-persistify';
import { expect } from 'vitest';

import { storeName } from '../../crash/storage.ts';
import { Process } from '../../support/process.ts';
import { imports, type Place } from './place.ts';

/** So many of the last writes can be told apart afterwards. */
export const slots = 1_000;

/** What all who count together count in. */
export const counter = 'counter';

/**
 * Writes pairs of equal numbers under its name, in one slot after the other, each saved before the next, until it is told to stop;
 * and says what became of each. `isCounting`: it adds one to the common counter behind each.
 */
const program = (who: string, place: Place, isCounting: boolean): string => `${imports()}
const store = await persistify(providerOf(${JSON.stringify(place)}))
  .withRetry({ maxAttempts: 3, delayMs: 1, maxDelayMs: 5, probeMs: 50 })
  .open(${JSON.stringify(storeName)})
  .catch((error) => {
    say('refused ' + error.code + ' ' + error.message);
    process.exit();
  });
store.errors$.subscribe(({ error, fatal }) => say('told ' + error.code + ' ' + (fatal ? 'fatal' : 'passing') + ' ' + error.message));
let isStopped = false;
process.stdin.once('data', () => (isStopped = true));
say('opened');
for (let count = 1; !isStopped; count++) {
  say('writing ' + count);
  try {
    await store.transactionAndSave(() => {
      store.set(${JSON.stringify(who)} + ' one ' + (count % ${slots}), count);
      store.set(${JSON.stringify(who)} + ' two ' + (count % ${slots}), count);
    });
    say('saved ' + count);
    if (${isCounting}) {
      await store.updateAndSave(${JSON.stringify(counter)}, (sum = 0) => sum + 1);
      say('counted ' + count);
    }
  } catch (error) {
    say('failed ' + count + ' ' + error.code + ' ' + error.outcome);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
process.stdin.pause();
await store.close({ deadlineMs: 3_000 }).then(() => say('closed'), (error) => say('unclosed ' + error.code));
`;

/** Another process that writes to a store, and says what it was told. */
export class Member {
  readonly who: string;
  readonly process: Process;

  constructor(who: string, place: Place, { wrapper = [], isCounting = false }: { readonly wrapper?: readonly string[]; readonly isCounting?: boolean } = {}) {
    this.who = who;
    this.process = new Process(program(who, place, isCounting), wrapper);
  }

  /** The last number that it was told is saved. */
  get acknowledged(): number {
    return this.#last('saved ');
  }

  /** The last number that it began to write. */
  get begun(): number {
    return this.#last('writing ');
  }

  /** What it has said that starts so. */
  said(start: string): readonly string[] {
    return this.process.lines.filter((line) => line.startsWith(start));
  }

  /** Waits until it says something that starts so, from the `from`-th line on. */
  async says(start: string, from = 0): Promise<string> {
    for (let index = from; ; index++) {
      const line = await this.process.line(index);
      if (line.startsWith(start)) return line;
    }
  }

  /** Waits until it has had so many more numbers saved. */
  async progresses(by = 3): Promise<void> {
    const goal = this.acknowledged + by;
    for (let index = 0; this.acknowledged < goal; index++) await this.process.line(index);
  }

  /** Has it stop, close and end; gives how its closing went. */
  async ends(): Promise<string> {
    this.process.say('stop');
    const { code } = await this.process.ended;
    expect(code, this.process.lines.slice(-3).join('\n')).toBe(0);
    return this.process.lines.at(-1) ?? '';
  }

  #last(start: string): number {
    return Number(this.process.lines.findLast((line) => line.startsWith(start))?.slice(start.length) ?? 0);
  }
}

/** Opens what members have written: whole pairs, every one that was acknowledged, and none that was not begun; gives how far they have counted. */
export async function expectPairs(provider: Provider, members: readonly Member[]): Promise<number> {
  const store = await persistify(provider).open<Record<string, number>>(storeName);
  const found = new Map(store);
  await store.close();
  for (const { who, acknowledged, begun } of members) {
    for (let count = Math.max(1, begun - slots + 1); count <= begun; count++) {
      const [one, two] = [found.get(`${who} one ${count % slots}`), found.get(`${who} two ${count % slots}`)];
      expect(one, `both halves of what ${who} wrote`).toBe(two);
      const before = count > slots ? count - slots : undefined;
      if (count > acknowledged) expect([count, before], `what ${who} began to write`).toContain(one);
      else expect(one, `what ${who} was told is saved`).toBe(count);
    }
  }
  return found.get(counter) ?? 0;
}

export function totalOf(members: readonly Member[]): number {
  return members.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
}
