/** A server-sent event, or, without a name and data, a place to go on from alone. */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
  /** The last id that was sent. */
  readonly id: string | undefined;
}

/**
 * Makes events of the text of an event stream, in whatever pieces it comes, as the HTML standard has it (9.2.6), but that the names
 * of events without one are empty. One that is not ended by an empty line is none.
 */
export class EventParser {
  /** What of the last line is there. */
  #rest = '';
  #isAfterReturn = false;
  #name = '';
  #data: string[] = [];
  #id: string | undefined;
  #hasId = false;

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    let from = this.#isAfterReturn && text.startsWith('\n') ? 1 : 0; // the second half of a line's end
    if (text !== '') this.#isAfterReturn = false;
    for (const { index, 0: end } of text.matchAll(/\r\n|\r|\n/g)) {
      if (index < from) continue;
      const line = this.#rest + text.slice(from, index);
      this.#rest = '';
      from = index + end.length;
      this.#isAfterReturn = end === '\r' && from === text.length;
      const event = this.#take(line);
      if (event !== undefined) events.push(event);
    }
    this.#rest += text.slice(from);
    return events;
  }

  #take(line: string): ServerEvent | undefined {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) {
      this.#id = value;
      this.#hasId = true;
    }
    return undefined;
  }

  #dispatch(): ServerEvent | undefined {
    const data = this.#data.length === 0 ? undefined : this.#data.join('\n');
    const isOfUse = data !== undefined || this.#hasId;
    const event = { name: data === undefined ? '' : this.#name, data: data ?? '', id: this.#id };
    this.#name = '';
    this.#data = [];
    this.#hasId = false;
    return isOfUse ? event : undefined;
  }
}
