/** Reads the statements out of what a client of PostgreSQL sends (postgresql.org/docs/current/protocol-message-formats.html). */
export class Statements {
  readonly #tell: (statement: string) => void;
  #unread: Buffer = Buffer.alloc(0);
  #isStarted = false;
  readonly #texts: string[] = [];

  /** @param tell given one text for each message that the server answers: what is parsed and bound until a Sync, or a simple query. */
  constructor(tell: (statement: string) => void) {
    this.#tell = tell;
  }

  read(data: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, data]);
    for (;;) {
      // The first message has no type.
      const start = this.#isStarted ? 1 : 0;
      if (this.#unread.length < start + 4) return;
      const end = start + this.#unread.readInt32BE(start);
      if (this.#unread.length < end) return;
      if (this.#isStarted) this.#message(String.fromCharCode(this.#unread[0] ?? 0), this.#unread.subarray(5, end));
      this.#isStarted = true;
      this.#unread = this.#unread.subarray(end);
    }
  }

  #message(type: string, body: Buffer): void {
    const [first = '', second = ''] = body.subarray(0, 4_000).toString().split('\0');
    if (type === 'Q') this.#tell(first);
    else if (type === 'P') this.#texts.push(second);
    else if (type === 'B') this.#texts.push(`with ${second}`); // portal, statement
    else if (type === 'S') this.#tell(this.#texts.splice(0).join(' '));
  }
}
