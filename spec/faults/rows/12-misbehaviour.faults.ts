import { answersNonsense, neverSettles, noSession, throwsAtOnce, versionsGoBack } from '../cells/bad-providers.ts';
import { clockDiffers, clockSet } from '../cells/clocks.ts';
import { fault, inColumns, row } from '../cells/matrix.ts';
import { endsByItself, workerLost } from '../cells/own-ends.ts';
import { Storages } from '../cells/storages.ts';
import { badSubscribers } from '../cells/subscribers.ts';
import { functionsThrow } from '../cells/throwing-functions.ts';
import { columns } from '../form.ts';

const storages = new Storages();

const outside = columns.filter((column) => column !== 'memory');
const noWorker = 'it has no worker';

row(12, 'what stands around the store misbehaves', () => {
  fault('a provider that never settles', inColumns(columns, neverSettles(storages)));
  fault('a provider that throws synchronously', inColumns(columns, throwsAtOnce(storages)));
  fault('a provider that answers nonsense', inColumns(columns, answersNonsense(storages)));
  fault('a provider whose versions go back', inColumns(columns, versionsGoBack(storages)));
  fault('a provider that opens to no session, or whose feed is none', inColumns(columns, noSession(storages)));
  fault('process.exit, an uncaught exception, an unhandled rejection in the middle of a batch', inColumns(outside, endsByItself(storages, ['exit', 'throw', 'reject']), { memory: 'what it keeps ends with the process' }));
  fault('a worker that is lost in the middle of a batch', inColumns(['sqlite'], workerLost, { memory: noWorker, 'json-file': noWorker, postgres: noWorker }));
  fault('a clock that is set by hours', inColumns(columns, clockSet(storages)));
  fault('a clock that differs from storage\'s', inColumns(columns, clockDiffers(storages)));
  fault('subscribers that throw, re-enter, leave inside a handler, come late, never leave', inColumns(columns, badSubscribers(storages)));
  fault('a codec, a schema or a function that throws', inColumns(columns, functionsThrow(storages)));
});
