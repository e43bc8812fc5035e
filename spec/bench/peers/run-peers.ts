import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { EmbeddedServer } from '../../../demos/support/embedded-server.ts';
import { onProcessEnd } from '../../../demos/support/exit-hooks.ts';
import { CleanUps } from '../clean-ups.ts';
import { peers } from './index.ts';
import { install, type Installation } from './install.ts';
import type { PeerFigures, PeerOrder } from './measure.ts';
import type { Peer, PeerPlace } from './peer.ts';
import type { PeerAnswer } from './peer-process.ts';
import { resultOf, type PeerResult } from './report.ts';

const program = fileURLToPath(new URL('peer-process.js', import.meta.url));
const patienceMs = 180_000;

export interface PeersOptions {
  /** Peers whose names hold one of these; all. */
  readonly names: readonly string[];
  readonly rounds: number;
  readonly largeKeys: number;
  readonly say: (text: string) => void;
}

/** Measures all in turns, round by round, each time in a process of its own. */
export async function runPeers({ names, rounds, largeKeys, say }: PeersOptions): Promise<readonly PeerResult[]> {
  const wanted = peers.filter(({ name }) => names.length === 0 || names.some((part) => name.toLowerCase().includes(part.toLowerCase())));
  const installed = new Map<Peer, Installation>();
  for (const peer of wanted) {
    if (peer.packages.length > 0) say(`installing ${peer.packages.join(', ')}`);
    installed.set(peer, await install(peer));
  }
  const cleanUps = new CleanUps();
  try {
    const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-peers-'));
    cleanUps.defer(onProcessEnd(() => rmSync(directory, { recursive: true, force: true })));
    cleanUps.defer(() => rm(directory, { recursive: true, force: true }));
    const server = wanted.some(({ needsPostgres }) => needsPostgres === true) ? await EmbeddedServer.start() : undefined;
    if (server !== undefined) cleanUps.defer(() => server.remove());
    const found = new Map(wanted.map((peer) => [peer, { figures: [] as Partial<PeerFigures>[], failure: installed.get(peer)?.failure }]));
    for (let round = 0; round < rounds; round++) {
      for (const [index, [peer, course]] of [...found].entries()) {
        if (course.failure !== undefined) continue;
        say(`round ${round + 1} of ${rounds}: ${peer.name}`);
        const place = (name: string): PeerPlace => ({ directory: join(directory, `${index}-${name}`), schema: `peer_${index}_${name}`, postgresUrl: server?.url() ?? '' });
        const answer = await ask({ peer: peer.name, folder: installed.get(peer)?.folder ?? '', fresh: place(`fresh${round}`), large: place('large'), largeKeys, isFirst: round === 0 });
        course.figures.push(answer.figures);
        course.failure = answer.failure;
        await rm(place(`fresh${round}`).directory, { recursive: true, force: true });
      }
    }
    return [...found].map(([peer, { figures, failure }]) => resultOf(peer, figures, failure));
  } finally {
    await cleanUps.run();
  }
}

async function ask(order: PeerOrder): Promise<PeerAnswer> {
  const child = fork(program, { execArgv: ['--expose-gc'] });
  let told: PeerAnswer = { figures: {}, isWhole: false };
  child.on('message', (message) => (told = message as PeerAnswer)); // by a program of ours
  child.send(order);
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  const [code, signal] = (await once(child, 'close')) as unknown[];
  clearTimeout(timer);
  if (told.isWhole || told.failure !== undefined) return told;
  return { ...told, failure: signal === 'SIGKILL' ? `the rest took longer than ${patienceMs / 60_000} minutes` : `its process ended with code ${String(code)}` };
}
