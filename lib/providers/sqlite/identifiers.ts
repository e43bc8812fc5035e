/** The name as an identifier in SQL, whatever it holds. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The table as it is named in SQL; with its schema, so that no temporary table can stand before it. */
export function qualified(table: string): string {
  return `main.${quote(table)}`;
}

/**
 * Names that a table must not have: SQLite's own, this library's bookkeeping, and the table-valued functions that a table
 * of their name would hide from every other query of the file.
 */
const reserved = /^(?:sqlite_|rx_persistify_|pragma_|jsonb?_(?:each|tree)$)/i;

/** Why no table can have this name, or `undefined` if one can. */
export function unfitTableName(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.includes('\0')) return 'it holds a NUL character';
  if (!name.isWellFormed()) return 'it holds half a surrogate pair';
  if (reserved.test(name)) return 'names of this kind are reserved';
  return undefined;
}

/** A table's name for a dictionary that has none of its user's choice: its own where that can be. */
export function defaultTableName(storeName: string): string {
  return unfitTableName(storeName) === undefined ? storeName : `dictionary_${storeName.replaceAll('\0', '_')}`;
}
