import { answersNonsense, neverSettles, noSession, throwsAtOnce, versionsGoBack } from '../cells/bad-providers.ts';
import { fault, inColumns, row } from '../cells/matrix.ts';
import { Storages } from '../cells/storages.ts';
import { columns } from '../form.ts';

const storages = new Storages();

row(12, 'what stands around the store misbehaves', () => {
  fault('a provider that never settles', inColumns(columns, neverSettles(storages)));
  fault('a provider that throws synchronously', inColumns(columns, throwsAtOnce(storages)));
  fault('a provider that answers nonsense', inColumns(columns, answersNonsense(storages)));
  fault('a provider whose versions go back', inColumns(columns, versionsGoBack(storages)));
  fault('a provider that opens to no session, or whose feed is none', inColumns(columns, noSession(storages)));
});
