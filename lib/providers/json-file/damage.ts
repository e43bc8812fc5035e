import { CorruptDataError } from '../../errors.ts';

const cures = {
  json: 'repair it by hand, or put a backup of it in its place; nothing was changed',
  log: 'restore it together with the .json file beside it from a backup, or, to go on without what it holds, move it away; nothing was changed',
};

/** What is told of a file that is not what it should be. Every byte of it stays. */
export function damaged(file: 'json' | 'log', path: string, offset: number, what: string, cause?: unknown): CorruptDataError {
  return new CorruptDataError(`${path} is damaged at byte ${offset}: ${what}. To cure it: ${cures[file]}.`, {
    location: path,
    offset,
    ...(cause !== undefined && { cause }),
  });
}
