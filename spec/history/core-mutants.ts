import { withAnswersLost, withoutFaults, type Mutant } from './mutant.ts';

/** What is broken before any provider. */
export const coreMutants: readonly Mutant[] = [
  {
    name: 'what others set is not held back while an own write of the key is under way',
    edits: [{ file: 'remote-commits.js', find: 'if (layers.isFlying(key)) {', replace: 'if (false) {' }],
    args: withAnswersLost,
    expected: ['hidden', 'order', 'diverged'],
  },
  {
    name: 'the version at which a key was removed here is forgotten',
    edits: [{ file: 'remote-commits.js', find: 'this.#removed.get(key) ?? 0', replace: '0' }],
    args: withAnswersLost,
    expected: ['order', 'diverged'],
  },
  {
    name: 'an older version of a key takes the place of a newer one',
    edits: [{ file: 'remote-commits.js', find: 'found.version <= known || ', replace: '' }],
    args: withAnswersLost,
    expected: ['order', 'diverged'],
  },
  {
    name: 'a waiting write does not wait',
    edits: [{ file: 'saver.js', find: 'this.#demand();\n        await waiting;', replace: 'this.#demand();\n        waiting.catch(() => undefined);' }],
    args: withoutFaults,
    expected: ['early'],
  },
];
