import type { Cursor, Entry, Page } from '../provider.ts';
import type { Connections } from './connections.ts';
import { entryOf, numberOf, textOf } from './rows.ts';
import type { DataSql } from './statements.ts';

export interface LoadConfig {
  readonly connections: Connections;
  readonly data: DataSql;
  /** The statement that tells the version, and writer and number of its commit, or null. */
  readonly head: string;
  readonly doing: string;
  readonly statementTimeoutMs: number;
  /** What is thrown if the dictionary is not there as it was opened. */
  readonly gone: () => Error;
}

const pageRows = 2_000;

/** For how long a page may be looked at before the server ends the transaction, which holds up its vacuum. */
const idleTimeoutMs = 60_000;

/**
 * Every entry, in pages, of one snapshot, whatever is committed meanwhile. The next page is on its way while one is looked at.
 * The connection is released at the end, or when the iteration is left.
 */
export async function* loadPages({ connections, data, head, doing, statementTimeoutMs, gone }: LoadConfig): AsyncGenerator<Page, void, undefined> {
  const lease = await connections.lease({ doing, transaction: true });
  const query = async (text: string): Promise<readonly (readonly unknown[])[]> => {
    const { rows } = await lease.client.query({ text, rowMode: 'array' });
    return rows;
  };
  const fetchPage = async (): Promise<readonly Entry[]> => (await query(`FETCH ${pageRows} FROM rx_persistify_load`)).map(entryOf);
  try {
    await lease.client.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = ${statementTimeoutMs}; SET LOCAL idle_in_transaction_session_timeout = ${idleTimeoutMs}`,
    );
    const [found] = await query(head);
    if (found === undefined) throw gone();
    const place = placeOf(found);
    await query(`DECLARE rx_persistify_load NO SCROLL CURSOR FOR ${data.entries()}`);
    let entries = await fetchPage();
    while (entries.length === pageRows) {
      const next = fetchPage();
      next.catch(() => undefined); // where the iteration is left, nobody waits for it
      yield { entries, ...place };
      entries = await next;
    }
    yield { entries, ...place };
    await lease.client.query('ROLLBACK');
    lease.end();
  } catch (error) {
    throw lease.fail(error);
  } finally {
    lease.cut(); // in the midst of a transaction, where it was left
  }
}

/** Nobody is known to have committed a table that was taken over. */
function placeOf([version, writer, number]: readonly unknown[]): Cursor {
  return { version: numberOf(version), ...(writer !== null && { writer: textOf(writer), number: numberOf(number) }) };
}
