import type { WriteStream } from 'node:tty';

import type { Size } from './view.ts';

const enter = '\x1b[?1049h\x1b[?25l'; // the alternate screen, so that what stood there before comes back; no cursor
const leave = '\x1b[?25h\x1b[?1049l';
const [beginUpdate, endUpdate] = ['\x1b[?2026h', '\x1b[?2026l']; // shown as a whole by terminals that know it, ignored by others
const [home, eraseLine, eraseBelow] = ['\x1b[H', '\x1b[K', '\x1b[J'];

/** A terminal, drawn in place. */
export class Screen {
  readonly #terminal: WriteStream;
  #isOpen = false;

  constructor(terminal: WriteStream) {
    this.#terminal = terminal;
  }

  get size(): Size {
    const { columns, rows } = this.#terminal;
    return { columns: columns > 0 ? columns : 80, rows: rows > 0 ? rows : 24 }; // some terminals say 0 for what they do not know
  }

  open(): void {
    this.#isOpen = true;
    this.#terminal.write(enter);
    process.once('exit', this.close); // also when it ends by an error: a terminal without cursor is a nuisance
  }

  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    this.#terminal.write(`${beginUpdate}${home}${lines.map((line) => `${line}${eraseLine}`).join('\r\n')}${eraseBelow}${endUpdate}`);
  }

  readonly close = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    process.off('exit', this.close);
    this.#terminal.write(leave);
  };
}
