// Undo and redo. There is to see: each change says what was before, so `changes$` is all that undo needs; a transaction is
// undone as a whole; and what is undone is saved as any other change.
import { join } from 'node:path';
import { filter } from 'rxjs';

import { persistify, type ChangeOf, type Store } from 'rx-persistify';
import { sqlite } from 'rx-persistify/sqlite';

import { check, heading, inTemporaryDirectory } from './support/demo.ts';

type Drawing = Record<string, { readonly colour: string }>;

type Step = readonly ChangeOf<Drawing>[];

/** Takes changes back, and makes them again. What belongs to one transaction is one step. */
class UndoHistory {
  readonly #store: Store<Drawing>;
  readonly #done: Step[] = [];
  readonly #undone: Step[] = [];
  #isReplaying = false;

  constructor(store: Store<Drawing>) {
    this.#store = store;
    store.changes$.pipe(filter(() => !this.#isReplaying)).subscribe((change) => {
      const number = change.transaction;
      const begun = number !== undefined && this.#done.at(-1)?.[0]?.transaction === number ? this.#done.pop() : undefined;
      this.#done.push([...(begun ?? []), change]);
      this.#undone.length = 0;
    });
  }

  readonly undo = (): void => this.#move(this.#done, this.#undone, (step) => step.toReversed().forEach((change) => this.#takeBack(change)));
  readonly redo = (): void => this.#move(this.#undone, this.#done, (step) => step.forEach((change) => this.#makeAgain(change)));

  #move(from: Step[], to: Step[], replay: (step: Step) => void): void {
    const step = from.pop();
    if (step === undefined) return;
    to.push(step);
    this.#isReplaying = true;
    this.#store.transaction(() => replay(step));
    this.#isReplaying = false;
  }

  #takeBack(change: ChangeOf<Drawing>): void {
    if (change.type === 'clear') change.previous.forEach((value, key) => this.#store.set(key, value));
    else if (change.previous === undefined) this.#store.delete(change.key);
    else this.#store.set(change.key, change.previous);
  }

  #makeAgain(change: ChangeOf<Drawing>): void {
    if (change.type === 'clear') this.#store.clear();
    else if (change.type === 'set') this.#store.set(change.key, change.value);
    else this.#store.delete(change.key);
  }
}

await inTemporaryDirectory(async (directory) => {
  const drawings = persistify(sqlite({ file: join(directory, 'drawings.sqlite') }));
  const drawing = await drawings.open<Drawing>('drawing');
  const history = new UndoHistory(drawing);
  const shapes = (): string => [...drawing].map(([shape, { colour }]) => `${colour} ${shape}`).sort().join(', ') || 'nothing';
  const expect = (action: string, expected: string): void => check(`${action.padEnd(26)} ${expected}`, shapes(), expected);

  heading('Drawing:');
  drawing.set('circle', { colour: 'red' });
  expect('draw a circle', 'red circle');
  drawing.transaction(() => {
    drawing.set('circle', { colour: 'blue' });
    drawing.set('square', { colour: 'green' });
  });
  expect('paint it, draw a square', 'blue circle, green square');
  drawing.clear();
  expect('clear', 'nothing');

  heading('Back and forth:');
  history.undo();
  expect('undo the clear', 'blue circle, green square');
  history.undo();
  expect('undo the whole transaction', 'red circle');
  history.redo();
  expect('redo it', 'blue circle, green square');
  history.undo();
  drawing.set('star', { colour: 'yellow' });
  history.redo();
  expect('draw anew: nothing to redo', 'red circle, yellow star');
  await drawing.close();

  const reopened = await drawings.open<Drawing>('drawing');
  check('what was left is what is saved', [...reopened.keys()].sort(), ['circle', 'star']);
  await reopened.close();
});
