import { ProviderError } from '../../errors.ts';
import { numberOf } from './rows.ts';

/** The format of tables that this version of the library writes. */
export const currentFormat = 1;

/** @throws ProviderError if the format is one of a later version of this library. */
export function checkFormat(format: unknown, place: string): void {
  if (!(numberOf(format) > currentFormat)) return;
  const message = `${place} was written by a later version of rx-persistify (format ${numberOf(format)}; this one knows ${currentFormat}). Update the package; nothing was changed.`;
  throw new ProviderError(message, { kind: 'halt' });
}
