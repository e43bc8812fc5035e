// Live changes. There is to see: each read has a twin that follows it; one stream tells every change and another every save;
// and of ten thousand watchers, a change of one key reaches the one that watches it.
import { join } from 'node:path';
import { merge, map } from 'rxjs';

import { persistify } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

interface Room {
  readonly celsius: number;
}

await inTemporaryDirectory(async (directory) => {
  const rooms = await persistify(sqlite({ file: join(directory, 'house.sqlite') }))
    .withBatch({ intervalMs: 20 })
    .open<Record<string, Room>>('rooms');

  heading('What the streams tell, in their order:');
  const told: string[] = [];
  const kitchen$ = rooms.get$('kitchen').pipe(map((room) => `get$      kitchen is ${room === undefined ? 'absent' : `at ${room.celsius}°`}`));
  const size$ = rooms.size$.pipe(map((size) => `size$     ${size} rooms`));
  const changes$ = rooms.changes$.pipe(map((change) => `changes$  ${change.seq}: ${change.type}${'key' in change ? ` ${change.key}` : ''}`));
  const saves$ = rooms.saves$.pipe(map((save) => `saves$    ${save.count} saved, up to change ${save.seq}`));
  merge(changes$, kitchen$, size$, saves$).subscribe((line) => {
    told.push(line.split(' ')[0] ?? '');
    console.log(`  ${line}`);
  });

  rooms.set('kitchen', { celsius: 20 });
  rooms.set('cellar', { celsius: 12 });
  rooms.transaction(() => {
    rooms.set('kitchen', { celsius: 21 });
    rooms.set('attic', { celsius: 27 });
    rooms.set('garage', { celsius: 9 });
    rooms.delete('cellar');
  });
  check('every change was told before it was saved', told.includes('saves$'), false);
  await rooms.flush();
  check('then all of them were saved, in one batch', told.filter((stream) => stream === 'saves$').length, 1);
  check('the size was told once for the whole transaction', told.filter((stream) => stream === 'size$').length, 4);

  heading('Ten thousand watchers:');
  let reached = 0;
  for (let index = 0; index < 10_000; index++) {
    rooms.get$(`room ${index}`).subscribe((room) => (reached += room === undefined ? 0 : 1));
  }
  rooms.set('room 4711', { celsius: 19 });
  check('a change of one of their keys reaches one of them', reached, 1);
  await rooms.close();
});
