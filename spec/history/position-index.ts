import { lifeOf, numberOf, type WriteId } from './written-value.ts';

/** Maps writes to numbers from 0 on, in 4 bytes each where the numbers of a life are dense; a `Map` takes ten times that. */
export class PositionIndex {
  readonly #lives = new Map<number, Int32Array>();

  /** -1: none. */
  get(id: WriteId): number {
    return (this.#lives.get(lifeOf(id))?.[numberOf(id)] ?? 0) - 1;
  }

  set(id: WriteId, position: number): void {
    const life = lifeOf(id);
    const number = numberOf(id);
    let positions = this.#lives.get(life);
    if (positions === undefined || number >= positions.length) {
      const grown = new Int32Array(Math.max(1_024, 2 ** Math.ceil(Math.log2(number + 1))));
      if (positions !== undefined) grown.set(positions);
      this.#lives.set(life, grown);
      positions = grown;
    }
    positions[number] = position + 1;
  }

  /** Every write that has a number. */
  *ids(): Generator<WriteId> {
    for (const [life, positions] of this.#lives) {
      for (let number = 0; number < positions.length; number++) if ((positions[number] ?? 0) > 0) yield life * 2 ** 32 + number;
    }
  }
}
