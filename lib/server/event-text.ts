/** What a server-sent event of a feed is called. */
export type EventName = 'reset' | 'entries' | 'changes' | 'status' | 'live' | 'closed';

/** One server-sent event. `data` is JSON text, which has no line break; with `id` it is a place to go on from. */
export function eventText(name: EventName, data: string, id?: string): string {
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
}

/** A comment, which no reader is told of. With `id` the place to go on from moves all the same: no event is dispatched without data. */
export function heartbeatText(id?: string): string {
  return id === undefined ? ':\n\n' : `:\nid: ${id}\n\n`;
}
