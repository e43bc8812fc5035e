import { parseArgs } from 'node:util';

/** `quick`: the budgets, in minutes. `usual`: the budgets, with as many rounds as they need. `full`: everything. */
export type Extent = 'quick' | 'usual' | 'full';

export interface Options {
  readonly extent: Extent;
  /** Rows whose names begin with one of these; all. */
  readonly rows: readonly string[];
  /** Where the results go as JSON, and as a chart. */
  readonly json: string | undefined;
  readonly svg: string | undefined;
  /** The results of an earlier run, as JSON, in which those of the rows that are measured now replace theirs. */
  readonly base: string | undefined;
  /** Whether the results page is written. */
  readonly write: boolean;
  /** Whether what others offer is measured at the same work, in place of the rows. */
  readonly peers: boolean;
}

export class UsageError extends Error {}

export const usage = `usage: npm run bench -- [--quick | --full] [--rows NAME,…] [--json FILE] [--svg FILE] [--base FILE] [--write] [--peers]
  --quick   the budgets in under three minutes; otherwise with more rounds
  --full    all rows: the budgets, and how cost grows with size, writers, watchers and distance
  --rows    rows whose names begin so, such as set,ingest-sqlite
  --base    puts the rows that --rows names into what an earlier run wrote with --json
  --write   writes spec/bench/README.md and the chart beside it
  --peers   the same work with other packages, which are installed in build/bench-peers`;

const known = {
  quick: { type: 'boolean' },
  full: { type: 'boolean' },
  rows: { type: 'string' },
  json: { type: 'string' },
  svg: { type: 'string' },
  base: { type: 'string' },
  write: { type: 'boolean' },
  peers: { type: 'boolean' },
} as const;

/** @throws UsageError that says what was expected and what came. */
export function optionsFrom(args: readonly string[]): Options {
  const { quick = false, full = false, rows, json, svg, base, write = false, peers = false } = parse(args);
  if (quick && full) throw new UsageError('--quick and --full exclude each other.');
  if (base !== undefined && rows === undefined) throw new UsageError('--base asks for --rows: which rows are to be measured anew.');
  return { extent: quick ? 'quick' : full ? 'full' : 'usual', rows: rows === undefined ? [] : rows.split(','), json, svg, base, write, peers };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: known }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
