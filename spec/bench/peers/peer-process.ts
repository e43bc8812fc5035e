// Measures one peer once, and answers with its figures, or with why there are none.
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

import { peers } from './index.ts';
import { measure, type PeerFigures, type PeerOrder } from './measure.ts';
import type { Load } from './peer.ts';

/** What was found until now. */
export interface PeerAnswer {
  readonly figures: Partial<PeerFigures>;
  readonly isWhole: boolean;
  readonly failure?: string;
}

process.once('disconnect', () => process.exit()); // nobody is there any more
process.once('message', (message) => void answer(message as PeerOrder)); // from our own parent

async function answer(order: PeerOrder): Promise<void> {
  let figures: Partial<PeerFigures> = {};
  let failure: string | undefined;
  try {
    for await (const found of measurements(order)) {
      figures = { ...figures, ...found };
      process.send?.({ figures, isWhole: false } satisfies PeerAnswer);
    }
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  const told: PeerAnswer = { figures, isWhole: failure === undefined, ...(failure === undefined ? {} : { failure }) };
  process.send?.(told, () => process.exit()); // some keep timers
}

function measurements(order: PeerOrder): AsyncGenerator<Partial<PeerFigures>> {
  const peer = peers.find(({ name }) => name === order.peer);
  if (peer === undefined) throw new Error(`There is no peer ${order.peer}.`);
  const load: Load = async (module) => {
    const { load: from } = (await import(pathToFileURL(join(order.folder, 'load.mjs')).href)) as { readonly load: Load }; // written at installation
    return from(module);
  };
  return measure(peer, load, order);
}
