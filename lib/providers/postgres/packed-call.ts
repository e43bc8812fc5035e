import type { Batch } from '../../mutation.ts';

/** What is collected of a kind; null, and so sent, where there is none. */
class List<T> {
  items: T[] | null = null;

  add(item: T): void {
    (this.items ??= []).push(item);
  }
}

/** A batch as the parameters of the function that commits it, in its order. */
export function packCall({ writer, number, mutations }: Batch, isFull: boolean): readonly unknown[] {
  const expectedKeys = new List<string>();
  const expectedVersions = new List<number>();
  const setKeys = new List<string>();
  const setTexts = new List<string>();
  const deletedKeys = new List<string>();
  const touchedKeys = new List<string>();
  const touchedDeadlines = new List<number | null>();
  const expiredKeys = new List<string>();
  const expiredVersions = new List<number>();
  const expiredPlaces = new List<number>();
  let isCleared = false;
  let deadlines: (number | null)[] | null = null;
  let place = -1;
  for (const mutation of mutations) {
    place++;
    switch (mutation.type) {
      case 'set':
        if (mutation.expiresAt !== undefined) deadlines ??= Array.from<null>({ length: setKeys.items?.length ?? 0 }).fill(null);
        deadlines?.push(deadlineOrNull(mutation.expiresAt));
        setKeys.add(mutation.key);
        setTexts.add(mutation.json);
        break;
      case 'delete':
        deletedKeys.add(mutation.key);
        break;
      case 'clear':
        isCleared = true;
        break;
      case 'touch':
        touchedKeys.add(mutation.key);
        touchedDeadlines.add(deadlineOrNull(mutation.expiresAt));
        break;
      case 'expire':
        expiredKeys.add(mutation.key);
        expiredVersions.add(mutation.version);
        expiredPlaces.add(place);
        break;
    }
    if ((mutation.type === 'set' || mutation.type === 'delete') && mutation.expect !== undefined) {
      expectedKeys.add(mutation.key);
      expectedVersions.add(mutation.expect);
    }
  }
  return [
    writer,
    number,
    isFull,
    expectedKeys.items,
    expectedVersions.items,
    isCleared,
    setKeys.items,
    setTexts.items?.join('\n') ?? null,
    deadlines,
    deletedKeys.items,
    touchedKeys.items,
    touchedDeadlines.items,
    expiredKeys.items,
    expiredVersions.items,
    expiredPlaces.items,
  ];
}

/** Never is null. */
export function deadlineOrNull(deadline: number | undefined): number | null {
  return deadline === undefined || deadline === Infinity ? null : deadline;
}
