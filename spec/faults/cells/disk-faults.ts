import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { placeIn } from '../../crash/ground.ts';
import type { Place } from '../../crash/place.ts';
import type { Random } from '../../crash/random.ts';
import type { Mood } from '../../crash/workload.ts';
import type { Cell } from './matrix.ts';

/** A storage of its own for one cycle of a cell, and what is done with it. */
export interface Scene {
  readonly directory: string;
  readonly place: Place;
  readonly seed: number;
  readonly mood: Mood;
  readonly actions: number;
  readonly log: string;
}

/** Long values, so that logs are folded and a WAL grows; many keys; or neither. */
const moods = { steady: 4, bulk: 2, growth: 2 } as const;

let count = 0;

export async function sceneOf({ column, directory, random }: Cell, mood: Mood = random.weighted(moods)): Promise<Scene> {
  const own = join(directory, `storage-${++count}`);
  await mkdir(own);
  const place = placeIn(own, column === 'json-file' ? 'json-file' : 'sqlite', count % 2 === 0);
  return { directory: own, place, seed: random.whole(0, 2 ** 31), mood, actions: actionsOf(mood, random), log: `${own}.strace` };
}

function actionsOf(mood: Mood, random: Random): number {
  return mood === 'bulk' ? random.magnitude(20, 120) : random.magnitude(40, 400);
}
