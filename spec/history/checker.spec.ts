import { describe, expect, it } from 'vitest';

import type { AuditRow } from './audit.ts';
import { check, type Life } from './checker.ts';
import type { JournalRecord } from './journal.ts';
import { keyNumber, pairNames } from './keys.ts';
import { Violations } from './violations.ts';
import { writeId } from './written-value.ts';

const [first, second, third] = [writeId(1, 1), writeId(1, 2), writeId(1, 3)];
const foreign = writeId(2, 1);

describe('a history that is as it should be', () => {
  it('is empty', async () => {
    expect(await found({ commits: [], lives: [] })).toEqual([]);
  });

  it('has a write that was applied, saved and heard of', async () => {
    const writer = life(1, [applied('key-1', first, 1), { type: 'saved', seq: 1 }, resolved('key-1', first), final('key-1', first)]);
    const reader = life(2, [heard('key-1', first, 1), final('key-1', first)]);
    expect(await found({ commits: [[set('key-1', first)]], lives: [writer, reader] })).toEqual([]);
  });

  it('has a write that a newer one of its key overtook before it was saved', async () => {
    const writer = life(1, [applied('key-1', first, 1), applied('key-1', second, 2), { type: 'saved', seq: 2 }, resolved('key-1', first), final('key-1', second)]);
    expect(await found({ commits: [[set('key-1', second)]], lives: [writer] })).toEqual([]);
  });

  it('has a reader that heard of some versions and not of others', async () => {
    const reader = life(2, [heard('key-1', first, 1), heard('key-1', third, 2), final('key-1', third)]);
    const commits = [[set('key-1', first)], [set('key-1', second)], [del('key-1')], [set('key-1', third)]];
    expect(await found({ commits, lives: [writing(first, second, third), reader] })).toEqual([]);
  });

  it('has a life that was killed, with a write of which it told nothing any more', async () => {
    expect(await found({ commits: [[set('key-1', first)], [set('key-1', second)]], lives: [killed(1, [applied('key-1', first, 1)])] })).toEqual([]);
  });

  it('has a write that was lost with the life that never heard of its saving', async () => {
    expect(await found({ commits: [], lives: [killed(1, [applied('key-1', first, 1)])] })).toEqual([]);
  });

  it("has an own deletion, of what another process had deleted before", async () => {
    const writer = life(1, [loaded('key-1', foreign), applied('key-1', 0, 1), { type: 'saved', seq: 1 }]);
    expect(await found({ commits: [[set('key-1', foreign)], [del('key-1')], []], lives: [killed(2, []), writer] })).toEqual([]);
  });

  it('has an own deletion that a newer own write stands above when it is saved', async () => {
    const writer = life(1, [loaded('key-1', foreign), applied('key-1', 0, 1), applied('key-1', first, 2), { type: 'saved', seq: 1 }, { type: 'saved', seq: 2 }, final('key-1', first)]);
    expect(await found({ commits: [[set('key-1', foreign)], [del('key-1')], [set('key-1', first)]], lives: [killed(2, []), writer] })).toEqual([]);
  });

  it('has a clear', async () => {
    const writer = life(1, [loaded('key-1', foreign), { type: 'cleared', seq: 1 }, applied('key-2', first, 2), { type: 'saved', seq: 2 }, final('key-2', first)]);
    expect(await found({ commits: [[set('key-1', foreign)], [del('key-1'), set('key-2', first)]], lives: [killed(2, []), writer] })).toEqual([]);
  });

  it('has increments, and what storage declined', async () => {
    const adder = life(1, [proposed('counter-1', first), { type: 'saved', seq: 0 }, applied('counter-1', first, 1), accepted('counter-1', first), heard('counter-1', foreign, 2), final('counter-1', foreign)]);
    const other = life(2, [loaded('counter-1', first), proposed('counter-1', foreign), applied('counter-1', foreign, 1), accepted('counter-1', foreign), proposed('claim-1', writeId(2, 2)), declined('claim-1', writeId(2, 2)), final('counter-1', foreign)]);
    expect(await found({ commits: [[set('counter-1', first, 1)], [set('counter-1', foreign, 2)]], lives: [adder, other] })).toEqual([]);
  });

  it('has a transaction', async () => {
    const [a = '', b = '', c = ''] = pairNames(1);
    const writer = killed(1, [applied(a, first, 1), applied(b, second, 2), applied(c, third, 3), { type: 'saved', seq: 3 }]);
    expect(await found({ commits: [[set(a, first), set(b, second), set(c, third)], [del(a), del(b), del(c)]], lives: [writer] })).toEqual([]);
  });
});

describe('a history that is not', () => {
  it('lost: what was told to be saved never was in storage', async () => {
    expect(await found({ commits: [], lives: [killed(1, [applied('key-1', first, 1), { type: 'saved', seq: 1 }])] })).toEqual(['lost']);
  });

  it('lost: what storage accepted never was there', async () => {
    expect(await found({ commits: [], lives: [killed(1, [proposed('counter-1', first), accepted('counter-1', first)])] })).toEqual(['lost']);
  });

  it('lost: a deletion that was told to be saved', async () => {
    const writer = life(1, [loaded('key-1', foreign), applied('key-1', 0, 1), { type: 'saved', seq: 1 }]);
    expect(await found({ commits: [[set('key-1', foreign)]], lives: [killed(2, []), writer] })).toContain('lost');
  });

  it('lost: what was applied is not saved when everything is', async () => {
    expect(await found({ commits: [], lives: [life(1, [applied('key-1', first, 1), final('key-1', first)])] })).toContain('lost');
  });

  it('twice: a write comes to storage again', async () => {
    expect(await found({ commits: [[set('key-1', first)], [set('key-1', first)]], lives: [writing(first)] })).toEqual(['twice']);
  });

  it('twice: a batch is committed again', async () => {
    const rows: AuditRow[] = [
      { type: 'commit', version: 1, writer: 'a', number: 1 },
      { type: 'commit', version: 2, writer: 'a', number: 1 },
    ];
    expect(await found({ rows, lives: [] })).toEqual(['twice']);
  });

  it('phantom: storage has what nobody wrote', async () => {
    expect(await found({ commits: [[set('key-1', first)]], lives: [] })).toEqual(['phantom']);
    expect(await found({ commits: [[set('key-1', first)]], lives: [life(1, [final('key-1', first)])] })).toContain('phantom');
    expect(await found({ commits: [[set('another', first)]], lives: [] })).toContain('phantom');
    expect(await found({ rows: [{ type: 'set', key: 'key-1', json: '{"life":1', version: 1 }], lives: [] })).toContain('phantom');
  });

  it('phantom: an observer heard of what storage never had, or never had there', async () => {
    expect(await found({ commits: [], lives: [killed(2, [heard('key-1', first, 1)])] })).toEqual(['phantom']);
    expect(await found({ commits: [[set('key-2', first)]], lives: [writing(first), killed(2, [heard('key-1', first, 1)])] })).toEqual(['phantom']);
    expect(await found({ commits: [[set('key-1', first)]], lives: [writing(first), killed(2, [loaded('key-1', first), heard('key-1', 0, 1)])] })).toEqual(['phantom']);
  });

  it('order: an observer heard of a version after a newer one', async () => {
    const reader = killed(2, [heard('key-1', second, 1), heard('key-1', first, 2)]);
    expect(await found({ commits: [[set('key-1', first)], [set('key-1', second)]], lives: [writing(first, second), reader] })).toEqual(['order']);
  });

  it('order: what was deleted comes back', async () => {
    const reader = killed(2, [heard('key-1', first, 1), heard('key-1', 0, 2), heard('key-1', first, 3)]);
    expect(await found({ commits: [[set('key-1', first)], [del('key-1')]], lives: [writing(first), reader] })).toEqual(['order']);
  });

  it("order: another's older version shows above an own newer one, or above an own deletion", async () => {
    const writer = killed(1, [applied('key-1', first, 1), { type: 'saved', seq: 1 }, heard('key-1', foreign, 2)]);
    expect(await found({ commits: [[set('key-1', foreign)], [set('key-1', first)]], lives: [writer, killed(2, [])] })).toEqual(['order']);
    const deleter = killed(1, [loaded('key-1', first), applied('key-1', 0, 1), { type: 'saved', seq: 1 }, heard('key-1', foreign, 2)]);
    expect(await found({ commits: [[set('key-1', first)], [set('key-1', foreign)], [del('key-1')]], lives: [deleter, killed(2, [])] })).toContain('order');
  });

  it('gap: what was told before is not what is said to have been there, or a change is missing', async () => {
    expect(await found({ commits: [], lives: [killed(1, [{ type: 'gap', key: 1, id: first }])] })).toEqual(['gap']);
    expect(await found({ commits: [[set('key-1', first)], [set('key-2', second)]], lives: [writing(first, second), killed(2, [heard('key-1', first, 2), heard('key-2', second, 4)])] })).toEqual(['gap']);
  });

  it('gap: memory has in the end what was never told', async () => {
    expect(await found({ commits: [[set('key-1', first)]], lives: [writing(first), life(2, [final('key-1', first)])] })).toContain('gap');
    expect(await found({ commits: [[set('key-1', first)]], lives: [writing(first), life(2, [heard('key-1', first, 1)])] })).toContain('gap');
  });

  it('hidden: a remote change shows over an own one that is not saved', async () => {
    const writer = killed(1, [applied('key-1', first, 1), heard('key-1', foreign, 2)]);
    expect(await found({ commits: [[set('key-1', foreign)]], lives: [writer, killed(2, [])] })).toEqual(['hidden']);
  });

  it('diverged: memory has another value than storage in the end, or none', async () => {
    const commits = [[set('key-1', first)], [set('key-1', second)]];
    expect(await found({ commits, lives: [writing(first, second), life(2, [heard('key-1', first, 1), final('key-1', first)])] })).toEqual(['diverged']);
    expect(await found({ commits, lives: [writing(first, second), life(2, [])] })).toEqual(['diverged']);
  });

  it('diverged: storage has what it did not tell of', async () => {
    expect(await found({ commits: [[set('key-1', first)]], lives: [writing(first)], stored: [] })).toEqual(['diverged']);
  });

  it('count: an increment is lost, or counted twice', async () => {
    expect(await found({ commits: [[set('counter-1', first, 1)], [set('counter-1', second, 1)]], lives: [writing(first, second)] })).toEqual(['count']);
    expect(await found({ commits: [[set('counter-1', first, 2)]], lives: [writing(first)] })).toEqual(['count']);
  });

  it('claim: two have added the same key', async () => {
    expect(await found({ commits: [[set('claim-1', first)], [set('claim-1', second)]], lives: [writing(first, second)] })).toEqual(['claim']);
  });

  it('torn: half a transaction is stored', async () => {
    const [a = '', b = '', c = ''] = pairNames(1);
    expect(await found({ commits: [[set(a, first), set(b, second)], [set(c, third)]], lives: [writing(first, second, third)] })).toEqual(['torn']);
    expect(await found({ commits: [[set(a, first), set(b, second), set(c, third)], [del(a)]], lives: [writing(first, second, third)] })).toEqual(['torn']);
  });

  it('version: commits overtake each other', async () => {
    const rows: AuditRow[] = [
      { type: 'commit', version: 2, writer: 'a', number: 1 },
      { type: 'commit', version: 1, writer: 'b', number: 1 },
    ];
    expect(await found({ rows, lives: [] })).toEqual(['version']);
    expect(await found({ rows: [{ ...set('key-1', first), version: 7 }, { type: 'commit', version: 1, writer: 'a', number: 1 }], lives: [writing(first)] })).toEqual(['version']);
  });

  it('declined: what was said not to be stored is', async () => {
    expect(await found({ commits: [[set('claim-1', first)]], lives: [killed(1, [proposed('claim-1', first), declined('claim-1', first)])] })).toEqual(['declined']);
  });

  it('early: a promise resolves before what it is of is saved', async () => {
    expect(await found({ commits: [[set('key-1', first)]], lives: [killed(1, [applied('key-1', first, 1), resolved('key-1', first)])] })).toEqual(['early']);
  });

  it('failed: a life that nobody killed has no end', async () => {
    expect(await found({ commits: [], lives: [{ life: 1, isKilled: false, records: [] }] })).toEqual(['failed']);
  });
});

interface Story {
  readonly commits?: readonly (readonly AuditRow[])[];
  readonly rows?: readonly AuditRow[];
  readonly lives: readonly Life[];
  readonly stored?: readonly { readonly key: string; readonly json: string }[];
}

/** The kinds of what is found wrong with it. */
async function found({ commits = [], rows = rowsOf(commits), lives, stored = storedAfter(rows) }: Story): Promise<readonly string[]> {
  const violations = new Violations();
  await check({ version: 0, audit: rows, lives, stored }, violations);
  return [...violations.counts.keys()];
}

function rowsOf(commits: readonly (readonly AuditRow[])[]): readonly AuditRow[] {
  return commits.flatMap((rows, index) => {
    const version = index + 1;
    return [...rows.map((row) => (row.type === 'set' ? { ...row, version } : row)), { type: 'commit' as const, version, writer: 'a', number: version }];
  });
}

function storedAfter(rows: readonly AuditRow[]): readonly { readonly key: string; readonly json: string }[] {
  const stored = new Map<string, string>();
  for (const row of rows) {
    if (row.type === 'set' && row.json.endsWith('}')) stored.set(row.key, row.json);
    else if (row.type === 'delete') stored.delete(row.key);
  }
  return [...stored].map(([key, json]) => ({ key, json }));
}

function set(key: string, id: number, count?: number): Extract<AuditRow, { type: 'set' }> {
  return { type: 'set', key, json: JSON.stringify({ life: Math.floor(id / 2 ** 32), n: id % 2 ** 32, count }), version: 0 };
}

function del(key: string): AuditRow {
  return { type: 'delete', key };
}

/** A life that saved everything, and told so, and has no end. */
function killed(life: number, records: readonly JournalRecord[]): Life {
  return { life, isKilled: true, records };
}

function life(number: number, records: readonly JournalRecord[]): Life {
  return { life: number, isKilled: false, records: [...records, { type: 'ended' }] };
}

/** A killed one that is known to have written these, and of which no more is known. */
function writing(...ids: readonly number[]): Life {
  return killed(1, ids.map((id) => proposed('key-1', id)));
}

function applied(key: string, id: number, seq: number): JournalRecord {
  return { type: 'applied', key: numberOf(key), id, seq };
}

function heard(key: string, id: number, seq: number): JournalRecord {
  return { type: 'heard', key: numberOf(key), id, seq };
}

function loaded(key: string, id: number): JournalRecord {
  return { type: 'loaded', key: numberOf(key), id };
}

function proposed(key: string, id: number): JournalRecord {
  return { type: 'proposed', key: numberOf(key), id };
}

function accepted(key: string, id: number): JournalRecord {
  return { type: 'accepted', key: numberOf(key), id };
}

function declined(key: string, id: number): JournalRecord {
  return { type: 'declined', key: numberOf(key), id };
}

function resolved(key: string, id: number): JournalRecord {
  return { type: 'resolved', key: numberOf(key), id };
}

function final(key: string, id: number): JournalRecord {
  return { type: 'final', key: numberOf(key), id };
}

function numberOf(key: string): number {
  return keyNumber(key) ?? -1;
}
