import { parseArgs } from 'node:util';

import { providerNames, type ProviderName } from './place.ts';

export interface Options {
  readonly provider: ProviderName;
  readonly processes: number;
  readonly writes: number;
  /** Faults of the access to storage. */
  readonly cuts: number;
  readonly restarts: number;
  readonly kills: number;
  readonly seed: number;
  /** How long all of it may take. */
  readonly seconds: number;
  /** How long, when nothing is written any more, a memory may take to equal storage. */
  readonly settleSeconds: number;
  /** The names of those faults that cuts are of; all. */
  readonly faults?: readonly string[];
  /** How often a store looks for others' commits, apart from when it hears of them. */
  readonly pollMs?: number;
}

export interface Arguments extends Options {
  readonly isJson: boolean;
  /** Breaks the library on purpose, and sees whether it is noticed. */
  readonly mutants: boolean;
  /** Those with this in their names. */
  readonly only: string;
}

export class UsageError extends Error {}

export const usage = `usage: npm run history -- [--provider ${providerNames.join('|')}] [--processes 4] [--writes 100000] [--cuts 20] [--restarts N] [--kills N]
         [--seed N] [--seconds 3600] [--settle-seconds 30] [--faults name,…] [--poll-ms N] [--json]
       npm run history -- --mutants [--only TEXT] [--provider …]`;

const known = {
  provider: { type: 'string' },
  processes: { type: 'string' },
  writes: { type: 'string' },
  cuts: { type: 'string' },
  restarts: { type: 'string' },
  kills: { type: 'string' },
  seed: { type: 'string' },
  seconds: { type: 'string' },
  'settle-seconds': { type: 'string' },
  faults: { type: 'string' },
  'poll-ms': { type: 'string' },
  json: { type: 'boolean' },
  mutants: { type: 'boolean' },
  only: { type: 'string' },
} as const;

/** One process is killed for so many writes, where it is not said how often. */
const writesPerKill = 25_000;
const fewestKills = 5;

/** @throws UsageError that says what was expected and what came. */
export function argumentsFrom(args: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({ args: [...args], options: known, strict: false, allowPositionals: true });
  const given = new Map(Object.entries(values));
  for (const name of given.keys()) if (!(name in known)) throw new UsageError(`there is no option --${name}`);
  if (positionals.length > 0) throw new UsageError(`what is ${JSON.stringify(positionals[0])} to mean?`);
  const whole = (name: keyof typeof known, least: number, most: number, otherwise: number): number => {
    const text = given.get(name);
    if (text === undefined) return otherwise;
    const value = typeof text === 'string' && text.trim() !== '' ? Number(text) : NaN;
    if (!Number.isSafeInteger(value) || value < least || value > most) throw new UsageError(`--${name} should be a whole number from ${least} to ${most}, not ${String(text)}`);
    return value;
  };
  const name = given.get('provider') ?? 'sqlite';
  const provider = providerNames.find((one) => one === name);
  if (provider === undefined) throw new UsageError(`--provider should be ${providerNames.join(' or ')}, not ${String(name)}`);
  const restarts = whole('restarts', 0, 10_000, provider === 'sqlite' ? 0 : 5);
  if (restarts > 0 && provider === 'sqlite') throw new UsageError('--restarts: SQLite has no server to restart');
  const writes = whole('writes', 1, 100_000_000, 100_000);
  const faults = given.get('faults');
  const pollMs = whole('poll-ms', 10, 60_000, 0);
  return {
    provider,
    processes: whole('processes', 2, 64, 4),
    writes,
    cuts: whole('cuts', 0, 100_000, 20),
    restarts,
    kills: whole('kills', 0, 10_000, Math.max(fewestKills, Math.round(writes / writesPerKill))),
    seed: whole('seed', 0, 2 ** 32 - 1, Date.now() % 1_000_000),
    seconds: whole('seconds', 1, 100_000, 3_600),
    settleSeconds: whole('settle-seconds', 1, 600, 30),
    ...(typeof faults === 'string' ? { faults: faults.split(',') } : {}),
    ...(pollMs === 0 ? {} : { pollMs }),
    isJson: given.get('json') === true,
    mutants: given.get('mutants') === true,
    only: String(given.get('only') ?? ''),
  };
}
