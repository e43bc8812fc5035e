import { join } from 'node:path';

import { CorruptDataError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { expect } from 'vitest';

import { memory, scratch } from '../../providers/json-file/store.ts';
import { Picture } from './damage.ts';
import type { History } from './histories.ts';
import { openingOf, wordsOf, type Opening, type Refused } from './opening.ts';

/** How variants of a json-file store ended. */
export interface Outcomes {
  tried: number;
  refused: number;
  /** Opened to what was acknowledged, all of it. */
  whole: number;
  /** Opened to the store as it was earlier, as what was cut off looks like a batch that was under way. */
  earlier: number;
}

export function noOutcomes(): Outcomes {
  return { tried: 0, refused: 0, whole: 0, earlier: 0 };
}

/** Opens variants of a store's files, in memory, as there are thousands. */
export class JsonVariants {
  readonly #directory: string;
  readonly #history: History;

  static async of(history: History): Promise<JsonVariants> {
    return new JsonVariants(await scratch(memory), history);
  }

  private constructor(directory: string, history: History) {
    this.#directory = directory;
    this.#history = history;
  }

  /** Opens the store with these bytes in the place of a file's. A refusal names the file, and leaves every byte. */
  async open(name: string, bytes: Buffer, options: { readonly isEdit?: boolean } = {}): Promise<Opening> {
    const changed = new Map([[name, bytes]]);
    await this.#history.picture.layOut(this.#directory, changed, options);
    const opening = await openingOf(jsonFile({ directory: this.#directory }));
    if (opening.isRefused) await this.#expectUntouched(opening, changed);
    return opening;
  }

  /** Counts what came of damage that nobody may overlook: it is refused, or has done no harm. */
  expectNoticed(opening: Opening, outcomes: Outcomes, what: string): void {
    outcomes.tried++;
    if (opening.isRefused) {
      outcomes.refused++;
      return;
    }
    expect(opening.quarantined, what).toEqual([]);
    expect(opening.entries, `${what}, after ${wordsOf(opening)}`).toEqual(this.#history.entries);
    outcomes.whole++;
  }

  async #expectUntouched({ error }: Refused, changed: ReadonlyMap<string, Buffer>): Promise<void> {
    expect(error).toBeInstanceOf(CorruptDataError);
    expect(error).toMatchObject({ location: expect.stringContaining(join(this.#directory, 'survivor.json')) as string });
    const found = await Picture.of(this.#directory);
    expect([...found.files.keys()], error.message).toEqual([...this.#history.picture.files.keys()]);
    for (const [name, bytes] of found.files) expect(bytes.equals(changed.get(name) ?? this.#history.picture.bytesOf(name)), `${name} after ${error.message}`).toBe(true);
  }
}
