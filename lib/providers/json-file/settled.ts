import type { BatchResult, LeftOut } from '../../mutation.ts';

/** What was answered to a writer's last batch, kept so that a retry of it is answered the same and not applied again. */
export interface Settled {
  readonly writer: string;
  readonly number: number;
  readonly result: BatchResult;
}

/** @returns undefined for what is none. */
export function settledFrom(value: unknown): Settled | undefined {
  const fields = fieldsOf(value);
  const result = fieldsOf(fields['result']);
  const { writer, number } = fields;
  const { version, leftOut } = result;
  if (typeof writer !== 'string' || typeof number !== 'number' || typeof version !== 'number' || !Array.isArray(leftOut)) return undefined;
  const items = leftOut.map(leftOutFrom).filter(item => item !== undefined);
  return items.length === leftOut.length ? { writer, number, result: { version, leftOut: items } } : undefined;
}

export function leftOutFrom(value: unknown): LeftOut | undefined {
  const { index, reason, message } = fieldsOf(value);
  if (typeof index !== 'number' || (reason !== 'refused' && reason !== 'conflict') || typeof message !== 'string') return undefined;
  return { index, reason, message };
}

/** The members of a value that came out of JSON; none if it is no object. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {};
}
