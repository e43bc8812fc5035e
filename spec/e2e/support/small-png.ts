import { deflateSync } from 'node:zlib';

import type { Page } from 'playwright-core';

/** What a palette of PNG has room for. */
const mostColours = 256;

/**
 * The same picture with its 256 most frequent colours, in a third of the bytes: what is drawn has few, and letters' edges, of which
 * there are many, are seen no differently. `page` is one that reads the picture; it may be blank.
 */
export async function smallPng(picture: Buffer, page: Page): Promise<Buffer> {
  const { width, height, colours } = await pixelsOf(picture, page);
  const palette = frequentColours(colours);
  const places = new Map(palette.map((colour, place) => [colour, place]));
  const placeOf = (colour: number): number => {
    const place = places.get(colour) ?? nearest(palette, colour);
    places.set(colour, place);
    return place;
  };
  const rows = Buffer.alloc(height * (width + 1)); // a row begins with its filter: none
  for (const [at, colour] of colours.entries()) rows[at + Math.floor(at / width) + 1] = placeOf(colour);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8); // bits of a pixel; by a palette
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('PLTE', Buffer.from(palette.flatMap(channels))), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.of())]);
}

/** Each pixel's colour as 0xrrggbb. */
function pixelsOf(picture: Buffer, page: Page): Promise<{ readonly width: number; readonly height: number; readonly colours: readonly number[] }> {
  return page.evaluate(async (base64) => {
    const image = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0))], { type: 'image/png' }));
    const { width, height } = image;
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context?.drawImage(image, 0, 0);
    const { data } = context?.getImageData(0, 0, width, height) ?? { data: new Uint8ClampedArray() };
    const words = new DataView(data.buffer);
    return { width, height, colours: Array.from({ length: width * height }, (_, at) => words.getUint32(at * 4) >>> 8) };
  }, picture.toString('base64'));
}

function frequentColours(colours: readonly number[]): readonly number[] {
  const counts = new Map<number, number>();
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  return [...counts].sort(([, left], [, right]) => right - left).slice(0, mostColours).map(([colour]) => colour);
}

function nearest(palette: readonly number[], colour: number): number {
  const distances = palette.map((other) => channels(other).reduce((sum, channel, place) => sum + (channel - (channels(colour)[place] ?? 0)) ** 2, 0));
  return distances.indexOf(Math.min(...distances));
}

function channels(colour: number): readonly [red: number, green: number, blue: number] {
  return [colour >>> 16, (colour >>> 8) & 0xff, colour & 0xff];
}

/** A part of a file, as the specification of PNG has it (w3.org/TR/png-3). */
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** Node has one of its own from 22.2 on. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
