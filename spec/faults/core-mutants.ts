import type { Mutant } from './mutants.ts';

/** What rows 11 to 15 must notice. */
export const coreMutants: readonly Mutant[] = [
  {
    name: 'core: limits are heeded by nobody',
    edits: [{ file: 'limits.js', find: 'this.isBounded = pendingKeys < Infinity || pendingBytes < Infinity;', replace: 'this.isBounded = false;' }],
    row: 11,
    fault: 'attempts fail, and may be made again; within limits',
    column: 'memory',
  },
  {
    name: 'core: the probe comes ten times as often',
    edits: [{ file: 'streams/write-batches.js', find: 'quietTimer(probeMs, scheduler)', replace: 'quietTimer(probeMs / 10, scheduler)' }],
    row: 11,
    fault: 'attempts fail, and none can help',
    column: 'json-file',
  },
  {
    name: 'core: what a handler writes is told in the middle of a transaction (the drain queue)',
    edits: [
      { file: 'teller.js', find: 'this.#hold(() => {\n            for (const [index, change] of changes.entries())\n                this.#queue.push({ change, size: isOne && index < changes.length - 1 ? undefined : size });\n        });', replace: 'for (const [index, change] of changes.entries())\n            this.tell(change, isOne && index < changes.length - 1);' },
    ],
    row: 12,
    fault: 'subscribers',
    column: 'memory',
  },
  {
    name: 'core: a transaction that throws is not taken back',
    edits: [
      { file: 'writes.js', find: 'this.#layers.rollback(savepoint);', replace: '' },
    ],
    row: 12,
    fault: 'a codec',
    column: 'memory',
  },
  {
    name: 'core: an answer that is none is believed',
    edits: [
      { file: 'provider-failure.js', find: 'if (isBatchResult(result, count))', replace: 'if (result?.version !== undefined)' },
    ],
    row: 12,
    fault: 'answers nonsense',
    column: 'memory',
  },
  {
    name: 'core: every failure is one to try again for',
    edits: [
      { file: 'provider-failure.js', find: "return error instanceof ProviderError && error.kind === 'retry';", replace: 'return true;' },
    ],
    row: 12,
    fault: 'throws synchronously',
    column: 'memory',
  },
  {
    name: 'core: a session that is none is taken',
    edits: [
      { file: 'persistify.js', find: 'checkSession(session, provider.name);', replace: '' },
    ],
    row: 12,
    fault: 'no session',
    column: 'memory',
  },
  {
    name: 'sqlite: a worker that died has committed',
    edits: [
      { file: 'providers/sqlite/worker-committer.js', find: 'for (const { reject } of pending)\n            reject(error);', replace: "for (const { resolve } of pending)\n            resolve({ type: 'written', version: 1, leftOut: '[]' });" },
    ],
    row: 12,
    fault: 'a worker',
    column: 'sqlite',
  },
  {
    name: 'core: values are nested however deep',
    edits: [
      { file: 'json-value.js', find: 'if (depth >= MAX_DEPTH)', replace: 'if (depth >= 5000)' },
    ],
    row: 13,
    fault: 'keys and values',
    column: 'memory',
  },
  {
    name: 'core: what storage holds is not held to the rules for what is set',
    edits: [
      { file: 'value-format.js', find: 'checkJson(plain);', replace: '' },
    ],
    row: 13,
    fault: 'stored too deep',
    column: 'memory',
  },
  {
    name: 'sqlite: names are not quoted',
    edits: [
      { file: 'providers/sqlite/identifiers.js', find: '.replaceAll(\'"\', \'""\')', replace: '' },
    ],
    row: 13,
    fault: 'SQL in names',
    column: 'sqlite',
  },
  {
    name: 'postgres: names are not quoted',
    edits: [
      { file: 'providers/postgres/identifiers.js', find: '.replaceAll(\'"\', \'""\')', replace: '' },
    ],
    row: 13,
    fault: 'SQL in names',
    column: 'postgres',
  },
  {
    name: 'sqlite: a clear leaves what was there',
    edits: [
      { file: 'providers/sqlite/data-statements.js', find: 'this.#clear.run()', replace: 'void 0' },
    ],
    row: 14,
    fault: 'any calls',
    column: 'sqlite',
  },
  {
    name: 'core: whoever aborts is remembered for ever',
    edits: [
      { file: 'aborted.js', find: 'return () => callbacks.delete(once);', replace: 'return () => undefined;' },
    ],
    row: 15,
    fault: 'open, write, watch',
    column: 'memory',
  },
  {
    name: 'core: a batch is not the whole of what is pending',
    edits: [
      { file: 'saver.js', find: 'mutations: flight.mutations } };', replace: 'mutations: flight.mutations.length > 3 ? flight.mutations.slice(0, -1) : flight.mutations } };' },
    ],
    row: 14,
    fault: 'any calls',
    column: 'memory',
  },
  {
    name: 'core: a batch whose attempts are spent loses its place at the head',
    edits: [
      { file: 'streams/write-batches.js', find: "if (type === 'saved')\n                    head = undefined;", replace: "head = undefined;\n                if (type === 'saved')\n                    return;" },
    ],
    row: 12,
    fault: 'throws synchronously',
    column: 'memory',
  },
];
