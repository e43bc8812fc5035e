import { expect } from 'vitest';

import { absent, fault, inColumns, row } from '../cells/matrix.ts';
import { Storages } from '../cells/storages.ts';
import { Subject } from '../cells/subject.ts';

const storages = new Storages();

row(14, 'a smoke test', () => {
  fault('nothing is done', inColumns(['memory', 'json-file', 'sqlite', 'postgres'], async (cell) => {
    const storage = storages.fresh(cell);
    const subject = await Subject.open({ provider: storage.provider(), random: cell.random });
    await subject.live(cell.times(300, 3000));
    await subject.close();
    const { changes, acknowledged } = await subject.expectKept(storage.provider(), { isWhole: true });
    expect(subject.failures).toEqual([]);
    return { changes, acknowledged };
  }));
  fault('absent', { memory: absent('it has no disk'), 'json-file': absent('x'), sqlite: absent('x'), postgres: absent('x') });
});
