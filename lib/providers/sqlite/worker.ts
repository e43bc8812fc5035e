import { parentPort, workerData } from 'node:worker_threads';

import type { BatchResult } from '../../mutation.ts';
import { abandoned } from './commit.ts';
import { DatabaseWriter } from './database-writer.ts';
import { loadDriver } from './driver.ts';
import { leftOutText } from '../left-out-text.ts';
import { postFailure, type WorkerAnswer, type WorkerMessage, type WorkerRequest, type WorkerStart, type WriteRequest } from './worker-messages.ts';

// The thread that `WorkerCommitter` starts: it does one request behind the other. Both ends are this package's own, of one
// version, so that what arrives is taken for what it says.
const { settings, identity } = workerData as WorkerStart;
let writer: DatabaseWriter | undefined;

parentPort?.on('message', (request: WorkerRequest) => {
  tell(answer(request));
  if (writer?.isTidyingDue === true) writer.tidy();
});
tell({ type: 'ready' });

function tell(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

function answer(request: WorkerRequest): WorkerAnswer {
  try {
    return handle((writer ??= new DatabaseWriter(loadDriver(), settings, identity)), request);
  } catch (error) {
    return { type: 'failed', id: request.id, failure: postFailure(error) };
  }
}

function handle(database: DatabaseWriter, request: WorkerRequest): WorkerAnswer {
  switch (request.type) {
    case 'open':
      return { type: 'opened', id: request.id, dictionary: database.open(request.name, request.table) };
    case 'write':
      return written(request.id, write(database, request));
    case 'close':
      database.close();
      return { type: 'closed', id: request.id };
  }
}

/** Cloning each of thousands of expiries that did not come true would take longer than deciding them. */
function written(id: number, { version, leftOut }: BatchResult): WorkerAnswer {
  return { type: 'written', id, version, leftOut: leftOutText(leftOut) };
}

function write(database: DatabaseWriter, { dictionary, batch, aborted }: WriteRequest): BatchResult {
  const work = database.write(dictionary, batch);
  if (Atomics.load(aborted, 0) !== 0) throw abandoned();
  let step = work.next();
  while (step.done !== true) {
    if (step.value === 'locked') Atomics.wait(aborted, 0, 0, 1);
    step = Atomics.load(aborted, 0) === 0 ? work.next() : work.throw(abandoned());
  }
  return step.value;
}
