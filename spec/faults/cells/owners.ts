import { setTimeout as delay } from 'node:timers/promises';

import { StoreLockedError } from 'rx-persistify';
import { jsonFile } from 'rx-persistify/json-file';
import { expect } from 'vitest';

import type { Cell, Trial } from './matrix.ts';
import { expectPairs, Member, slots, totalOf } from './member.ts';
import { openingOf, wordsOf } from './opening.ts';
import { freshPlace, providerOf } from './place.ts';
import { scratch } from '../../providers/json-file/store.ts';
import type { Storages } from './storages.ts';
import { Subject } from './subject.ts';

/** It lets go of the disks of other cells: one that it kept mounted would come back from its power cut as dead as it was. */
const withoutDisks = `awk '/rx-persistify-fault-/ { print $2 }' /proc/mounts | xargs -r -n 1 umount --lazy; exec "$@"`;
const namespace = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', 'sh', '-c', withoutDisks, 'sh'];

/** The owner of a JSON file keeps everyone else out, and does not feel that they try. */
export const secondKeptOut: Trial = async (cell) => {
  const place = { column: 'json-file', options: { directory: cell.directory } } as const;
  const owner = new Member('owner', place);
  await owner.progresses();
  let refused = 0;
  for (; refused < cell.times(15, 300); refused++) {
    const opening = await openingOf(providerOf(place));
    expect(opening.isRefused && opening.error).toBeInstanceOf(StoreLockedError);
    expect(wordsOf(opening)).toContain(`pid ${owner.process.process.pid ?? 0}`);
  }
  const second = new Member('second', place);
  expect(await second.says('')).toContain('refused STORE_LOCKED');
  await owner.progresses();
  expect(await owner.ends()).toBe('closed');
  expect(owner.said('told')).toEqual([]);
  await expectPairs(providerOf(place), [owner]);
  return { refused: refused + 1, acknowledged: owner.acknowledged };
};

/** Processes that write to one database at the same time, each its own keys, and count together; `wrapper`: how the second is started. */
export function manyWrite(storages: Storages, wrapper: readonly string[] = []): Trial {
  return async (cell) => {
    const place = freshPlace(cell, storages);
    const members = [new Member('first', place, { isCounting: true }), new Member('second', place, { wrapper, isCounting: true }), new Member('third', place, { isCounting: true })];
    await Promise.all(members.map((member) => member.says('opened')));
    await delay(cell.times(500, 60_000));
    await Promise.all(members.map((member) => member.progresses(1)));
    for (const member of members) expect(await member.ends(), member.who).toBe('closed');
    for (const member of members) expect(member.said('failed'), member.who).toEqual([]);
    const counted = await expectPairs(providerOf(place), members);
    expect(counted, 'how often all have counted').toBe(members.reduce((sum, member) => sum + member.said('counted').length, 0));
    return { acknowledged: totalOf(members), counted, processes: members.length };
  };
}

/** An owner is stopped at any moment, displaced, and goes on: he is told so, and acknowledges and destroys nothing. */
export const displacedWhileStopped: Trial = async (cell) => {
  const tally = { rounds: 0, acknowledged: 0, 'stopped within a write': 0 };
  for (; tally.rounds < cell.times(6, 300); tally.rounds++) {
    const directory = await scratch();
    const owner = new Member('owner', { column: 'json-file', options: { directory } });
    await owner.progresses(cell.random.whole(1, 5));
    await delay(cell.random.next() * 8);
    owner.process.process.kill('SIGSTOP');
    tally.acknowledged += await displace(cell, directory, owner);
    if (owner.begun > owner.acknowledged) tally['stopped within a write']++;
    await owner.process.kill();
  }
  return tally;
};

async function displace({ random }: Cell, directory: string, owner: Member): Promise<number> {
  // Who only reads shows what whoever displaces him finds.
  const before = await openingOf(jsonFile({ directory, readOnly: true }));
  if (before.isRefused) throw new Error(wordsOf(before));
  const subject = await Subject.open({ provider: jsonFile({ directory, logBytes: 1 << 20, takeOver: true }), random, before: before.entries });
  const living = subject.live(60);
  await delay(random.next() * 10);
  const spoken = owner.process.lines.length;
  owner.process.process.kill('SIGCONT');
  await owner.says('told PROVIDER fatal', spoken);
  expect(owner.said('told').join(), 'why he cannot go on').toMatch(/taken over/);
  await living;
  await owner.says('failed', spoken);
  expect(await owner.ends()).toBe('unclosed SAVE_FAILED');
  // What he was told before that is there; a stamp is what a number of his is not, so it stands in the words for it.
  const last = before.entries.get(`owner two ${owner.acknowledged % slots}`);
  expect(last, 'what he was told is saved').toContain(`: ${owner.acknowledged}`);
  await subject.close();
  const { acknowledged } = await subject.expectKept(jsonFile({ directory }), { isWhole: true });
  return acknowledged;
}

/** Of those who write to one database, one is stopped at any moment, and goes on later; the others wait for no longer than a lock. */
export function stoppedAmongOthers(storages: Storages): Trial {
  return async (cell) => {
    const place = freshPlace(cell, storages);
    const members = [new Member('first', place), new Member('second', place)] as const;
    await Promise.all(members.map((member) => member.progresses()));
    let rounds = 0;
    for (; rounds < cell.times(6, 300); rounds++) {
      const [stopped, other] = cell.random.chance(0.5) ? members : [members[1], members[0]];
      await delay(cell.random.next() * 10);
      stopped.process.process.kill('SIGSTOP');
      await delay(cell.random.next() * 100);
      const spoken = other.process.lines.length;
      stopped.process.process.kill('SIGCONT');
      await Promise.all([stopped.progresses(1), other.says('saved', spoken)]);
    }
    for (const member of members) expect(await member.ends(), member.who).toBe('closed');
    await expectPairs(providerOf(place), members);
    return { rounds, acknowledged: totalOf(members) };
  };
}

/** Processes of another pid namespace cannot be judged: they count as alive, also when they have ended, until they are displaced. */
export const namespaceKeptOut: Trial = async (cell) => {
  const tally = { rounds: 0, refused: 0 };
  for (; tally.rounds < cell.times(1, 30); tally.rounds++) {
    const directory = await scratch();
    const place = { column: 'json-file', options: { directory } } as const;
    const inside = new Member('inside', place, { wrapper: namespace });
    await inside.progresses();
    for (const isAlive of [true, false]) {
      if (!isAlive) await inside.process.kill();
      const opening = await openingOf(providerOf(place));
      expect(opening.isRefused && opening.error).toBeInstanceOf(StoreLockedError);
      expect(wordsOf(opening)).toContain('of which this machine or container cannot see whether it lives');
      tally.refused++;
    }
    const outside = new Member('outside', { column: 'json-file', options: { directory, takeOver: true } });
    await outside.progresses();
    const kept = new Member('kept out', place, { wrapper: namespace });
    expect(await kept.says('')).toContain('refused STORE_LOCKED');
    tally.refused++;
    expect(await outside.ends()).toBe('closed');
    await expectPairs(providerOf(place), [inside, outside]);
  }
  return tally;
};

export const namespacesWrite = (storages: Storages): Trial => manyWrite(storages, namespace);
