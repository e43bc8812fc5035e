import { join } from 'node:path';

import { persistify, type Store } from 'rx-persistify';
import { expect, onTestFinished } from 'vitest';

import { EmbeddedServer } from '../../../demos/support/embedded-server.ts';
import { storeName, type Survivor } from '../../crash/storage.ts';
import { fast, TestServer } from '../../providers/postgres/server.ts';
import { row, type Cell } from '../cells/matrix.ts';
import { rowNumber, rowTitle, Scene, serverFault } from '../cells/postgres-scene.ts';

const database = new TestServer();

row(rowNumber, rowTitle, () => {
  serverFault('the server is restored to an older state', async (cell) => {
    const rounds = cell.times(3, 100);
    let lost = 0;
    for (let round = 0; round < rounds; round++) {
      const scene = await Scene.open(database, cell);
      await use(scene, 100);
      const backup = await backUp(cell, round);
      const loss = new Loss(scene, await follower(scene), database.url);
      lost += await loss.begin();
      await database.server.stop(round % 2 === 0 ? 'fast' : 'kill');
      await loss.useMeanwhile(round);
      await database.server.restore(backup);
      await database.server.start();
      await loss.expectTold();
      await loss.close(); // for a server has room for so many
    }
    return { rounds, 'changes lost': lost };
  });

  serverFault('a standby takes over that lacks the last commits', async (cell) => {
    const rounds = cell.times(2, 60);
    let lost = 0;
    for (let round = 0; round < rounds; round++) {
      const backup = await backUp(cell, round);
      const link = await database.proxy();
      const standby = await EmbeddedServer.start({ backup, primary: link.port, settings: fast });
      onTestFinished(() => standby.remove());
      const scene = await Scene.open(database, cell);
      await use(scene, 100);
      await expect.poll(() => isCaughtUp(standby)).toBe(true);
      link.blackhole(); // from now on it acknowledges what the standby never gets
      const loss = new Loss(scene, await follower(scene), standby.url());
      lost += await loss.begin();
      await database.server.stop('kill');
      await loss.useMeanwhile(round);
      await ask(standby, 'SELECT pg_promote()');
      scene.proxy.redirect(standby.port);
      await loss.expectTold();
      await loss.close();
      await standby.remove();
      await database.server.start();
    }
    return { rounds, 'changes lost': lost };
  });
});

/** Commits that were acknowledged and are to be gone. */
class Loss {
  readonly #scene: Scene;
  readonly #follower: Store<Survivor>;
  /** Where those will be missing. */
  readonly #url: string;

  constructor(scene: Scene, follower: Store<Survivor>, url: string) {
    this.#scene = scene;
    this.#follower = follower;
    this.#url = url;
  }

  /** Has changes acknowledged that will be lost. Returns how many. */
  async begin(): Promise<number> {
    const { subject } = this.#scene;
    const before = subject.entries;
    let changes = 0;
    const counting = subject.store.changes$.subscribe(() => changes++);
    await use(this.#scene, 60);
    counting.unsubscribe();
    expect(subject.entries).not.toEqual(before);
    await expect.poll(() => this.#follower.size).toBe(subject.store.size);
    expect(subject.hasTold('DATA_LOST')).toBe(false);
    subject.beginAnew(before);
    return changes;
  }

  /** In every other round, while there is no server. */
  async useMeanwhile(round: number): Promise<void> {
    if (round % 2 === 1) await this.#scene.subject.live(40);
  }

  /** It is told once, what is there is shown, and what was changed meanwhile is saved on top of it. */
  async expectTold(): Promise<void> {
    const { subject } = this.#scene;
    const other = () => this.#scene.other({ connection: this.#url });
    await expect.poll(() => subject.hasTold('DATA_LOST'), { timeout: 20_000 }).toBe(true);
    for (let use = 0; use < 2; use++) {
      await expect.poll(() => subject.flush()).toBe(true);
      const { entries } = await subject.expectKept(other(), { isWhole: true });
      await expect.poll(() => subject.entries).toEqual(entries);
      await expect.poll(() => this.#follower.size, { message: 'another store that follows' }).toBe(entries.size);
      await subject.live(40);
    }
    expect(subject.failures.filter(({ error }) => error.code === 'DATA_LOST')).toMatchObject([{ operation: 'provider', fatal: false }]);
  }

  async close(): Promise<void> {
    await this.#scene.subject.close();
    await this.#follower.close();
  }
}

async function use({ subject }: Scene, actions: number): Promise<void> {
  await subject.live(actions);
  expect(await subject.flush()).toBe(true);
}

/** Another store that reads along, and has had nothing acknowledged. */
async function follower(scene: Scene): Promise<Store<Survivor>> {
  const store = await persistify(scene.other({ connection: database.server.url({ port: scene.proxy.port }) })).withRetry({ maxDelayMs: 100 }).open<Survivor>(storeName);
  onTestFinished(() => store.close({ deadlineMs: 0 }).catch(() => undefined));
  return store;
}

async function backUp({ directory }: Cell, round: number): Promise<string> {
  const backup = join(directory, `backup-${round}`);
  await database.server.stop();
  await database.server.backUp(backup);
  await database.server.start();
  return backup;
}

async function isCaughtUp(standby: EmbeddedServer): Promise<boolean> {
  const [row] = await database.sql('SELECT pg_current_wal_lsn()::text AS place');
  return (await ask(standby, `SELECT pg_last_wal_replay_lsn() >= '${String(row?.['place'])}'`)) === true;
}

async function ask(server: EmbeddedServer, text: string): Promise<unknown> {
  const client = await database.connect(server.url());
  try {
    const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}
