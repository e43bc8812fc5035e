import { setTimeout as delay } from 'node:timers/promises';

import { persistify, type Store } from 'rx-persistify';
import { postgres } from 'rx-persistify/postgres';
import { expect, onTestFinished } from 'vitest';

import { stampedValue } from '../../crash/stamped-value.ts';
import { inspect, storeName, type Survivor } from '../../crash/storage.ts';
import { TestServer } from '../../providers/postgres/server.ts';
import { row } from '../cells/matrix.ts';
import { expectTold, rowNumber, rowTitle, Scene, serverFault } from '../cells/postgres-scene.ts';

const database = new TestServer({ settings: { deadlock_timeout: '100ms' } });

/** What the tables of a schema are; the dictionary's own is the first. */
const tables = [storeName, 'rx_persistify_dictionaries', 'rx_persistify_writers', 'rx_persistify_log'] as const;

row(rowNumber, rowTitle, () => {
  serverFault('a commit and another session are in a deadlock', async (cell) => {
    const rounds = cell.times(10, 1_000);
    const scene = await Scene.open(database, cell);
    const deadlocks = (): number => scene.subject.failures.filter(({ error }) => error.message.includes('40P01')).length;
    const other = await database.program();
    // Who looks for the deadlock fails, and everybody does so once, after this time.
    await other.query("SET deadlock_timeout = '1min'");
    const locking = (async () => {
      while (deadlocks() < rounds) {
        await other.query(`BEGIN; SELECT FROM ${scene.schema}.${storeName} ORDER BY random() LIMIT 10 FOR UPDATE`);
        await delay(cell.random.whole(0, 20));
        await other.query(`SELECT FROM ${scene.schema}.rx_persistify_dictionaries FOR UPDATE`);
        await other.query('ROLLBACK');
      }
    })();
    await scene.during(locking);
    const { acknowledged } = await scene.recover();
    return { deadlocks: deadlocks(), acknowledged, ...expectTold(scene.subject.failures, { kinds: ['retry'], says: /deadlock detected \(40P01\)/ }) };
  });

  serverFault('transactions cannot be serialized', async (cell) => {
    const rounds = cell.times(40, 4_000);
    const scene = await Scene.open(database, cell);
    await database.sql(`CREATE FUNCTION ${scene.schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF random() < 0.3 THEN RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER fail BEFORE INSERT ON ${scene.schema}.rx_persistify_log FOR EACH ROW EXECUTE FUNCTION ${scene.schema}.fail()`);
    const counting = Promise.all(['serializable', 'repeatable read'].map((level) => countTogether(level, rounds)));
    await scene.during(counting);
    const { acknowledged } = await scene.recover();
    return { 'increments that conflict': 2 * 3 * rounds, acknowledged, ...expectTold(scene.subject.failures, { kinds: ['retry'], says: /could not serialize access \(40001\)/ }) };
  });

  serverFault('the password is changed and changed back, or the user may not log in', async (cell) => {
    const rounds = cell.times(4, 200);
    const { user, scene } = await asUser(cell);
    const kinds = [[`PASSWORD 'another'`, `PASSWORD '${user}'`, '28P01'], ['NOLOGIN', 'LOGIN', '28000']] as const;
    for (let round = 0; round < rounds; round++) {
      const [takeAway, giveBack, state] = kinds[round % 2] ?? kinds[0];
      const told = scene.subject.failures.length;
      await scene.during((async () => {
        await delay(cell.random.whole(0, 20));
        await database.sql(`ALTER ROLE ${user} ${takeAway}`);
        await database.sql(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '${user}'`);
        await expect.poll(() => scene.subject.failures.slice(told).some(({ error }) => error.message.includes(state))).toBe(true);
      })());
      await scene.subject.expectKept(scene.other()); // by another user
      await database.sql(`ALTER ROLE ${user} ${giveBack}`);
      await expectRecovery(scene);
    }
    const { acknowledged } = await scene.recover();
    return { rounds, acknowledged, ...expectTold(scene.subject.failures, { kinds: ['retry', 'halt'], says: /\(28P01\); check user, password and pg_hba.conf\./ }) };
  });

  serverFault('a right is revoked and granted again', async (cell) => {
    const rights = tables.flatMap((table) => (['SELECT', 'INSERT', 'UPDATE'] as const).map((right) => ({ right: `${right} ON`, table }))).filter(isNeeded);
    const rounds = cell.times(rights.length, 20 * rights.length);
    const { user, scene } = await asUser(cell);
    for (let round = 0; round < rounds; round++) {
      const { right, table } = rights[round % rights.length] ?? { right: 'ALL ON', table: storeName };
      const told = scene.subject.failures.length;
      await scene.during((async () => {
        await delay(cell.random.whole(0, 20));
        await database.sql(`REVOKE ${right} ${scene.schema}.${table} FROM ${user}`);
        await expect.poll(() => scene.subject.failures.slice(told).some(({ error }) => error.message.includes('42501')), { message: `${right} ${table}` }).toBe(true);
      })());
      await scene.subject.expectKept(scene.other());
      await database.sql(`GRANT ${right} ${scene.schema}.${table} TO ${user}`);
      await expectRecovery(scene);
    }
    const { acknowledged } = await scene.recover();
    return { rounds, acknowledged, ...expectTold(scene.subject.failures, { kinds: ['halt'], says: /permission denied for table survivor \(42501\); grant the user the right\./ }) };
  });

  serverFault('a table is dropped underneath, and restored', async (cell) => {
    const rounds = cell.times(8, 200);
    const scene = await Scene.open(database, cell);
    const { subject, schema } = scene;
    for (let round = 0; round < rounds; round++) {
      const table = tables[round % tables.length] ?? storeName;
      const told = subject.failures.length;
      await subject.live(30);
      await scene.during((async () => {
        await delay(cell.random.whole(0, 20));
        // What is in it when it goes is restored: the copy is made in the same transaction.
        await database.sql(`BEGIN; LOCK TABLE ${schema}.${table}; CREATE TABLE ${schema}.copy (LIKE ${schema}.${table} INCLUDING ALL);
          INSERT INTO ${schema}.copy OVERRIDING SYSTEM VALUE SELECT * FROM ${schema}.${table}; DROP TABLE ${schema}.${table}; COMMIT`);
        await expect.poll(() => subject.failures.slice(told).some(({ error }) => error.message.includes('42P01')), { message: table }).toBe(true);
      })());
      const inMemory = subject.entries;
      await expect(subject.store.reload(), 'reload, with nothing to read').rejects.toThrow();
      expect(subject.entries, 'what is in memory').toEqual(inMemory);
      await database.sql(`ALTER TABLE ${schema}.copy RENAME TO ${table}`);
      await expectRecovery(scene);
    }
    const { acknowledged } = await scene.recover();
    return { rounds, acknowledged, ...expectTold(subject.failures, { kinds: ['halt'], says: /relation "schema_\d+\.survivor" does not exist \(42P01\); restore the table, or close the store and open it again\./ }) };
  });

  serverFault('a table is dropped underneath, and its dictionary begun anew', async (cell) => {
    const rounds = cell.times(5, 100);
    for (let round = 0; round < rounds; round++) {
      const scene = await Scene.open(database, cell);
      const { subject, schema } = scene;
      await subject.live(50);
      // In the order in which commits lock them: the other way round this would be a deadlock.
      await database.sql(`DELETE FROM ${schema}.rx_persistify_dictionaries; DROP TABLE ${schema}.${storeName}`);
      const other = await persistify(scene.other()).open<Survivor>(storeName);
      await other.setAndSave('of another', stampedValue('0.0.1'));
      await subject.live(50);
      expect(await subject.flush()).toBe(false);
      const { unsaved } = subject.store;
      const applied = subject.entries;
      await expect(subject.store.close()).rejects.toMatchObject({ code: 'SAVE_FAILED', outcome: 'pending', keys: unsaved });
      expect(subject.entries, 'what a closed store has').toEqual(applied);
      expect([...other.keys()], 'what the new one has').toEqual(['of another']);
      for (const [key, value] of subject.store) other.set(key, value);
      await other.close();
      const { found } = await inspect(scene.other());
      expect(found, 'written again').toEqual(new Map([['of another', '0.0.1'], ...applied]));
      // The feed tells on its own that it cannot read anew before what is unsaved is settled.
      const saves = subject.failures.filter(({ operation }) => operation === 'save');
      expectTold(saves, { kinds: ['halt'], says: /was removed, moved or migrated in PostgreSQL at 127.0.0.1:\d+\/postgres while it was open. Close the store and open it again\./ });
    }
    return { rounds };
  });
});

/** Whether commits and looks need the right; settling rows are looked up by every commit, logs are never updated. */
function isNeeded({ right, table }: { readonly right: string; readonly table: (typeof tables)[number] }): boolean {
  if (right.startsWith('INSERT')) return table !== 'rx_persistify_dictionaries' && table !== 'rx_persistify_writers';
  return !(right.startsWith('UPDATE') && table === 'rx_persistify_log');
}

/** By itself, without anything done to the store. */
async function expectRecovery({ subject }: Scene): Promise<void> {
  await expect.poll(() => subject.store.status.state).toBe('idle');
  expect(await subject.flush()).toBe(true);
}

/** Three stores of one dictionary, whose user has this isolation by default, count at the same time. */
async function countTogether(level: string, rounds: number): Promise<void> {
  const schema = database.freshSchema();
  const options = encodeURIComponent(`-c default_transaction_isolation=${level.replace(' ', '\\ ')}`);
  const stores: Store<{ count: number }>[] = [];
  for (let index = 0; index < 3; index++) {
    const store = await persistify(postgres({ connection: `${database.url}?options=${options}`, schema })).open<{ count: number }>('count');
    onTestFinished(() => store.close());
    stores.push(store);
  }
  await Promise.all(stores.map(async (store) => {
    for (let round = 0; round < rounds; round++) await store.updateAndSave('count', (value = 0) => value + 1);
  }));
  for (const store of stores) await expect.poll(() => store.get('count'), { message: level }).toBe(stores.length * rounds);
}

async function asUser(cell: Parameters<typeof Scene.open>[1]): Promise<{ readonly user: string; readonly scene: Scene }> {
  const schema = database.freshSchema();
  const user = `user_of_${schema}`;
  const own = await Scene.open(database, cell, { schema });
  await own.subject.close();
  await database.sql(`CREATE ROLE ${user} LOGIN PASSWORD '${user}'; GRANT USAGE ON SCHEMA ${schema} TO ${user}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${user}`);
  onTestFinished(async () => {
    await database.sql(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
  });
  const scene = await Scene.open(database, cell, { schema, user });
  return { user, scene };
}
