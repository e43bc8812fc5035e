// Measures one peer once, and answers with its figures, or with why there are none.
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

import { peers } from './index.ts';
import { measure, type PeerFigures, type PeerOrder } from './measure.ts';
import type { Load } from './peer.ts';

export type PeerAnswer = PeerFigures | { readonly failure: string };

process.once('message', (message) => void answer(message as PeerOrder)); // from our own parent

async function answer(order: PeerOrder): Promise<void> {
  const told: PeerAnswer = await figures(order).catch((error: unknown) => ({ failure: error instanceof Error ? error.message : String(error) }));
  process.send?.(told, () => process.exit()); // some keep timers
}

async function figures(order: PeerOrder): Promise<PeerFigures> {
  const peer = peers.find(({ name }) => name === order.peer);
  if (peer === undefined) throw new Error(`There is no peer ${order.peer}.`);
  const load: Load = async (module) => {
    const { load: from } = (await import(pathToFileURL(join(order.folder, 'load.mjs')).href)) as { readonly load: Load }; // written at installation
    return from(module);
  };
  return measure(peer, load, order);
}
