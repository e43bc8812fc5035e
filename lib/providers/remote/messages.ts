import * as z from 'zod/mini';

import type { Status } from '../../change.ts';
import { ProviderError } from '../../errors.ts';

/** One change as the wire has it. */
export type WireChange = { readonly type: 'set'; readonly key: string; readonly value: unknown } | { readonly type: 'delete' | 'expire'; readonly key: string } | { readonly type: 'clear' };

const key = z.string();
const entries = z.array(z.tuple([key, z.unknown()]));
const changes = z.array(z.union([z.object({ type: z.literal('set'), key, value: z.unknown() }), z.object({ type: z.enum(['delete', 'expire']), key }), z.object({ type: z.literal('clear') })]));
const connection = z.union([z.object({ state: z.literal('connected') }), z.object({ state: z.literal('reconnecting'), staleSince: z.number() })]);
const status = z.object({
  state: z.enum(['idle', 'pending', 'saving', 'retrying', 'failing']),
  pending: z.number(),
  fullness: z.number(),
  lastSavedAt: z.optional(z.number()),
  connection: z.optional(connection),
});

/** @throws ProviderError */
export function readEntries(data: string): readonly (readonly [string, unknown])[] {
  return read(entries, data);
}

/** @throws ProviderError */
export function readChanges(data: string): readonly WireChange[] {
  return read(changes, data);
}

/** @throws ProviderError */
export function readStatus(data: string): Status {
  const { lastSavedAt, connection: its, ...told } = read(status, data);
  return { ...told, lastSavedAt, ...(its === undefined ? undefined : { connection: its }) };
}

/** The run of the server, and the place in it, of which an id tells. @throws ProviderError */
export function readId(id: string | undefined): { readonly epoch: string; readonly seq: number } {
  const [, epoch, digits] = /^(.+):(\d+)$/.exec(id ?? '') ?? [];
  if (epoch === undefined) throw noFeed(new TypeError(`The id ${JSON.stringify(id)} is none.`));
  return { epoch, seq: Number(digits) };
}

function read<T>(schema: z.ZodMiniType<T>, data: string): T {
  try {
    return z.parse(schema, JSON.parse(data));
  } catch (cause) {
    throw noFeed(cause);
  }
}

function noFeed(cause: unknown): ProviderError {
  return new ProviderError('What the server tells is no feed of rx-persistify, or one of another version.', { kind: 'halt', cause });
}
