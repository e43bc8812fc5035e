import { currentFormat } from './format.ts';
import { literal, quote, shortHash } from './identifiers.ts';
import type { PostgresSettings } from './options.ts';
import { logPruning, writerPruning } from './pruning.ts';
import { DataSql, namesOf, type Dictionary } from './statements.ts';

/** For how long a commit waits for another one, in milliseconds. */
export const lockTimeoutMs = 5_000;

/** The function that commits a batch in one message. */
export interface CommitFunction {
  /** Changes with what it does, so that two versions of this library can have theirs side by side. */
  readonly name: string;
  /** The statement that makes it. */
  readonly definition: string;
  /** The statement that calls it, with the parameters that `packCall` gives; answered with one text, which `answerFrom` reads. */
  readonly call: string;
}

/** $1 and on. */
const parameterTypes = [
  'text', // the writer
  'bigint', // the batch's number
  'boolean', // whether a power cut is to be outlived
  'text[]', // keys that are to have
  'bigint[]', // these versions; both null: no condition
  'boolean', // whether all is removed before everything else
  'text[]', // keys to set; null: none, and so on
  'text', // their values, one a line
  'bigint[]', // their deadlines
  'text[]', // keys to delete
  'text[]', // keys whose deadlines move
  'bigint[]', // to these, if they are later
  'text[]', // keys that end
  'bigint[]', // if they have these versions
  'integer[]', // and their places in the batch
];

/** What the function has to say. */
export interface CommitAnswer {
  /**
   * `committed`; `settled`: it was committed before, and answers what was answered then; `unfit`: a condition does not hold, or the
   * default isolation is another one; nothing was done, and it is to be committed in steps; `gone`: the dictionary is not there as it
   * was opened.
   */
  readonly status: string;
  readonly version: number;
  /** The number that this writer had settled before, if any. */
  readonly previous: number | undefined;
  /** What was left out. */
  readonly result: string;
}

/** Reads what the function answers: status, version, previous and result, with a space between them. */
export function answerFrom(text: string): CommitAnswer {
  const [status = '', version, previous, ...result] = text.split(' ');
  return { status, version: Number(version), previous: previous === undefined || previous === '' ? undefined : Number(previous), result: result.join(' ') };
}

/**
 * Commits a batch, with lock, settling row, conditions, data and log, as one statement. It is VOLATILE, so that each statement
 * in it sees what was committed before the lock on the head row was had; in one plain statement a condition would be checked
 * against what was there before the wait (postgresql.org/docs/current/xfunc-volatility.html).
 *
 * For a batch of one key the server takes longer for the function than for the upsert in it, so it counts what each line costs. An
 * expression with a query in it, as PERFORM and EXISTS have one, begins a statement of its own, whatever AND stands before it; an
 * assignment does not. And one text is answered sooner than a row of columns.
 */
export function commitFunction(settings: PostgresSettings, dictionary: Dictionary): CommitFunction {
  const names = namesOf(settings.schema, dictionary);
  const data = new DataSql(names, settings.columns, dictionary);
  const lowerHead = `UPDATE ${names.dictionaries} AS d SET head = d.head - 1 WHERE d.id = ${dictionary.id}`;
  const body = `
#variable_conflict use_column
<<rx>>
DECLARE
  head bigint;
  moment bigint;
  settled bigint;
  version bigint;
  answer text;
  setting text;
  keys text[];
  gone text[];
  unmet integer[];
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN RETURN 'unfit'; END IF;
  rx.setting := set_config('lock_timeout', '${lockTimeoutMs}', true);
  IF NOT $3 THEN rx.setting := set_config('synchronous_commit', 'off', true);
  ELSIF current_setting('synchronous_commit') = 'off' THEN rx.setting := set_config('synchronous_commit', 'on', true);
  END IF;
  UPDATE ${names.dictionaries} AS d SET head = d.head + 1
    WHERE d.id = ${dictionary.id} AND d.table_name = ${literal(dictionary.table)} AND d.format = ${currentFormat} RETURNING d.head INTO rx.head;
  IF NOT FOUND THEN RETURN 'gone'; END IF;
  SELECT w.number, w.version, w.result INTO rx.settled, rx.version, rx.answer FROM ${names.writers} AS w WHERE w.dictionary = ${dictionary.id} AND w.writer = $1;
  IF rx.settled >= $2 THEN
    ${lowerHead};
    RETURN concat_ws(' ', 'settled', rx.version, rx.settled, CASE WHEN rx.settled = $2 THEN rx.answer ELSE '[]' END);
  END IF;
  IF $4 IS NOT NULL THEN
    IF ${data.hasConflict('$4', '$5', 'rx.head - 1')} THEN
      ${lowerHead};
      RETURN 'unfit';
    END IF;
  END IF;
  rx.moment := floor(extract(epoch FROM clock_timestamp()) * 1000);
  IF $6 THEN ${data.clear()}; END IF;
  IF $7 IS NOT NULL THEN ${data.upsert({ keys: '$7', lines: '$8', deadlines: '$9', now: 'rx.moment', version: 'rx.head' })}; END IF;
  IF $10 IS NOT NULL THEN ${data.delete('$10')}; END IF;
  IF $11 IS NOT NULL THEN ${data.touch('$11', '$12')}; END IF;
  rx.keys := coalesce($7, '{}') || coalesce($10, '{}');
  rx.answer := '[]';
  IF $13 IS NOT NULL THEN
    WITH removed (k) AS (${data.expire('$13', '$14', 'rx.moment', 'rx.head - 1')}) SELECT array_agg(removed.k) INTO rx.gone FROM removed;
    rx.keys := rx.keys || coalesce(rx.gone, '{}');
    SELECT array_agg(s.place) INTO rx.unmet FROM unnest($13, $15) AS s (k, place) LEFT JOIN unnest(rx.gone) AS g (k) ON g.k = s.k WHERE g.k IS NULL;
    IF rx.unmet IS NOT NULL THEN
      rx.answer := json_build_array(json_build_object('index', rx.unmet, 'reason', 'conflict', 'message', 'The key is absent, has another version, or its deadline has not passed.'))::text;
    END IF;
  END IF;
  IF $6 OR cardinality(rx.keys) > 0 THEN
    INSERT INTO ${names.log} (dictionary, version, writer, number, committed_at, keys)
      VALUES (${dictionary.id}, rx.head, $1, $2, rx.moment, CASE WHEN $6 THEN NULL ELSE rx.keys END);
    IF rx.head % ${logPruning.every} = 0 THEN ${logPruning.statement(names.log, dictionary.id, 'rx.head', 'rx.moment')}; END IF;
  ELSE
    ${lowerHead};
    rx.head := rx.head - 1;
  END IF;
  IF rx.settled IS NULL THEN
    ${writerPruning.statement(names.writers, dictionary.id, 'rx.moment')};
    INSERT INTO ${names.writers} (dictionary, writer, number, version, result, settled_at) VALUES (${dictionary.id}, $1, $2, rx.head, rx.answer, rx.moment);
  ELSE
    UPDATE ${names.writers} AS w SET number = $2, version = rx.head, result = rx.answer, settled_at = rx.moment WHERE w.dictionary = ${dictionary.id} AND w.writer = $1;
  END IF;
  RETURN concat_ws(' ', 'committed', rx.head, coalesce(rx.settled::text, ''), rx.answer);
END
`;
  const name = `rx_persistify_commit_${dictionary.id}_${shortHash(`${names.data} ${body}`)}`;
  const qualified = `${quote(settings.schema)}.${quote(name)}`;
  const quotes = dollarQuotesFor(body);
  const signature = `(${parameterTypes.join(', ')})`;
  return {
    name,
    definition: `CREATE FUNCTION ${qualified}${signature} RETURNS text LANGUAGE plpgsql VOLATILE AS ${quotes}${body}${quotes}`,
    call: `SELECT ${qualified}(${parameterTypes.map((_, index) => `$${index + 1}`).join(', ')})`,
  };
}

/** Quotes that do not stand in the body, which has the names of tables and columns in it. */
function dollarQuotesFor(body: string): string {
  for (let count = 0; ; count++) {
    const quotes = `$rx${count}$`;
    if (!body.includes(quotes)) return quotes;
  }
}
