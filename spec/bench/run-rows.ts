import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { EmbeddedServer } from '../../demos/support/embedded-server.ts';
import { onProcessEnd } from '../../demos/support/exit-hooks.ts';
import { Proxy } from '../support/network/proxy.ts';
import { CleanUps } from './clean-ups.ts';
import { fewestRounds, type Allowance, type Rounds } from './contest.ts';
import type { Extent } from './options.ts';
import { resultsOf, type Result } from './result.ts';
import type { Row, Scene } from './row.ts';

/** What a process is told that runs a row. */
export interface Order {
  readonly row: string;
  readonly allowance: Allowance;
  readonly scene: Omit<Scene, 'defer'>;
}

/** A quick run is one of less than three minutes, also where disks are slow. */
const quickMs = 3_000;

const program = fileURLToPath(new URL('row-process.js', import.meta.url));

/**
 * Runs the rows, one after the other, each in a process of its own and with storage of its own. One that fails is told, and does not take
 * with it what the others find.
 */
export async function* runRows(rows: readonly Row[], extent: Extent, onFailure: (row: Row, error: unknown) => void): AsyncGenerator<readonly Result[]> {
  const servers = new CleanUps();
  try {
    const needsPostgres = rows.some((row) => row.needsPostgres === true);
    const postgres = needsPostgres ? await startPostgres(servers) : { url: '', after1ms: '', after10ms: '' };
    for (const row of rows) {
      let rounds: Rounds;
      try {
        rounds = await runRow(row, extent, postgres);
      } catch (error) {
        onFailure(row, error);
        continue;
      }
      yield resultsOf(row, rounds);
    }
  } finally {
    await servers.run();
  }
}

async function startPostgres({ defer }: CleanUps): Promise<Scene['postgres']> {
  const server = await EmbeddedServer.start();
  defer(() => server.remove());
  const through = async (latencyMs: number): Promise<string> => {
    const proxy = await Proxy.to(server.port);
    defer(() => proxy.close());
    proxy.latencyMs = latencyMs;
    return server.url({ port: proxy.port });
  };
  return { url: server.url(), after1ms: await through(1), after10ms: await through(10) };
}

async function runRow(row: Row, extent: Extent, postgres: Scene['postgres']): Promise<Rounds> {
  const isQuick = extent === 'quick';
  const rounds = (isQuick ? row.rounds.quick : row.rounds.full) || fewestRounds; // of a row that is no part of such a run, and was asked for by name
  const directory = await mkdtemp(join(tmpdir(), 'rx-persistify-bench-'));
  const takeBack = onProcessEnd(() => rmSync(directory, { recursive: true, force: true }));
  try {
    return await answerTo({ row: row.name, allowance: isQuick ? { rounds, mostMs: quickMs } : { rounds }, scene: { directory, postgres, isQuick } });
  } finally {
    await rm(directory, { recursive: true, force: true });
    takeBack();
  }
}

async function answerTo(order: Order): Promise<Rounds> {
  const child = fork(program, { execArgv: ['--expose-gc'] });
  let found: Rounds | undefined;
  child.on('message', (message) => (found = message as Rounds)); // by a program of ours
  child.send(order);
  const [code, signal] = (await once(child, 'close')) as unknown[];
  if (found === undefined) throw new Error(`The row ${order.row} ended without figures (code ${String(code)}, signal ${String(signal)}).`);
  return found;
}
