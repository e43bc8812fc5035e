import { Process } from '../../support/process.ts';

/** Another process with a connection to an SQLite file, in a transaction until it is told to end it. */
export class OtherConnection {
  readonly #process: Process;
  #lines = 0;

  /** @param statements that begin the transaction. */
  static async in(file: string, statements: string): Promise<OtherConnection> {
    const other = new OtherConnection(file, statements);
    await other.#heard();
    return other;
  }

  private constructor(file: string, statements: string) {
    this.#process = new Process(`
      import Database from 'better-sqlite3';
      const database = new Database(${JSON.stringify(file)}, { timeout: 10_000 });
      for (const statement of ${JSON.stringify(statements.split(';'))}) {
        const prepared = database.prepare(statement);
        if (prepared.reader) prepared.all(); else prepared.run();
      }
      console.log('begun');
      process.stdin.once('data', () => {
        database.exec('COMMIT');
        database.close();
        console.log('ended');
        process.exit();
      });`);
  }

  /** Ends the transaction, and the process. */
  async end(): Promise<void> {
    this.#process.say('end');
    await this.#heard();
    await this.#process.ended;
  }

  async #heard(): Promise<void> {
    await this.#process.line(this.#lines++);
  }
}
