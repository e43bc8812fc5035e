import { DataLostError, type PersistifyError } from '../../errors.ts';
import { placeOf } from './failures.ts';
import type { DictionaryRow } from './schema.ts';

/**
 * One dictionary as a session knows it, held against what storage says of it later: the user may delete a site's data at any
 * time, and another tab fill it anew.
 */
export class Dictionary {
  readonly name: string;
  readonly #where: string;
  readonly #report: (error: PersistifyError) => void;
  #id: string | undefined;
  #version = 0;
  #losses = 0;
  #lossesWhenRead = 0;

  constructor(name: string, database: string, report: (error: PersistifyError) => void) {
    this.name = name;
    this.#where = `The dictionary ${JSON.stringify(name)} in ${placeOf(database)}`;
    this.#report = report;
  }

  /** Whether it is still the one that was read last: what was read of another one may be in memory, whatever the log says. */
  get isAsRead(): boolean {
    return this.#losses === this.#lossesWhenRead;
  }

  /** It is read from now on. */
  beginReading(): void {
    this.#lossesWhenRead = this.#losses;
  }

  /** The dictionary was at this version. */
  reached(version: number): void {
    this.#version = Math.max(this.#version, version);
  }

  /** Told of each row that is read, or of its absence; tells if that is not the dictionary that was there before. */
  meet(row: DictionaryRow | undefined): void {
    if (row?.id === this.#id) return;
    const isKnown = this.#id !== undefined;
    this.#id = row?.id;
    if (!isKnown) return;
    this.#losses++;
    if (this.#version === 0) return; // there was nothing to lose
    const message =
      `${this.#where} has lost all that it had acknowledged, up to version ${this.#version}: the database was deleted, as when somebody clears the data of a site, or the browser made room. ` +
      'What is there now is shown; what is lost must be written again. Where a browser would make room by itself, navigator.storage.persist() asks it not to.';
    this.#report(new DataLostError(message, { version: this.#version }));
  }

  /** The row of a dictionary that is not there. Its versions go on behind those that are known, as they must never become smaller. */
  fresh(): DictionaryRow {
    return { id: crypto.randomUUID(), head: this.#version };
  }
}
