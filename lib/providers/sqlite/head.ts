import { ProviderError } from '../../errors.ts';
import type { Database, Statement } from './driver.ts';
import { rowOf, textOf } from './rows.ts';
import { checkFormat, type Dictionary } from './schema.ts';

/** A dictionary's version as the file has it, prepared once a connection. */
export class Head {
  readonly #dictionary: Dictionary;
  readonly #file: string;
  readonly #statement: Statement;

  constructor(database: Database, dictionary: Dictionary, file: string) {
    this.#dictionary = dictionary;
    this.#file = file;
    this.#statement = database.prepare('SELECT head, table_name, format FROM main.rx_persistify_dictionaries WHERE name = ?').raw();
  }

  /**
   * The version; none if another process has removed the dictionary, or moved it to another table.
   * @throws ProviderError if another process has migrated it to a format that is not known.
   */
  find(): number | undefined {
    const row = rowOf(this.#statement.get(this.#dictionary.name));
    if (row === undefined || textOf(row[1]) !== this.#dictionary.table) return undefined;
    checkFormat(row[2], this.#file);
    return Number(row[0]);
  }

  /** @throws ProviderError if another process has removed, moved or migrated the dictionary. */
  get(): number {
    const head = this.find();
    if (head !== undefined) return head;
    throw new ProviderError(`The dictionary ${JSON.stringify(this.#dictionary.name)} was removed from ${this.#file} while it was open.`, { kind: 'halt' });
  }
}
