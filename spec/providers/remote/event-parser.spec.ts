import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { EventParser } from '../../../lib/providers/remote/event-parser.ts';

const text = 'event: changes\nid: e:1\ndata: [1]\n\n:\n\n: comment\r\n\r\ndata:a\rdata: b\r\r:\nid: e:2\n\nevent: live\r\ndata\r\n\r\nretry: 5\n\nevent: lost\ndata: {';

const events = [
  { name: 'changes', data: '[1]', id: 'e:1' },
  { name: '', data: 'a\nb', id: 'e:1' },
  { name: '', data: '', id: 'e:2' },
  { name: 'live', data: '', id: 'e:2' },
];

describe('the parser of event streams', () => {
  it('makes the same events of a text in whatever pieces it comes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 30 }), (cuts) => {
        const parser = new EventParser();
        const places = [0, ...cuts, text.length].sort((left, right) => left - right);
        const pieces = places.slice(1).map((end, index) => text.slice(places[index], end));
        expect(pieces.flatMap((piece) => parser.push(piece))).toEqual(events);
      }),
    );
    const parser = new EventParser();
    expect(Array.from(text).flatMap((letter) => parser.push(letter))).toEqual(events);
  });

  it('heeds no id with a NUL, and keeps the one before', () => {
    expect(new EventParser().push('id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n').map(({ id }) => id)).toEqual(['1', '1']);
  });
});
