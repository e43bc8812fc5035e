import { onAbort } from '../aborted.ts';
import type { Reader, Sink } from './reader.ts';

/** So many bytes may wait to be taken before no more are made. */
const HIGH_WATER_MARK = 16_384;

/** A body of the fetch standard that a reader's events go to, until `signal` aborts; `open` gives the reader. */
export function eventStream(open: (sink: Sink) => Reader, signal: AbortSignal): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let reader: Reader | undefined;
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        const write = (text: string): boolean => {
          controller.enqueue(encoder.encode(text));
          return (controller.desiredSize ?? 0) > 0;
        };
        const end = (text: string): void => {
          write(text);
          controller.close();
        };
        const begun = open({ write, end, cut: () => controller.error(new Error('The feed was cut.')) });
        reader = begun;
        begun.start();
        onAbort(signal, () => begun.cut());
      },
      pull: () => reader?.drained(),
      cancel: () => reader?.gone(),
    },
    { highWaterMark: HIGH_WATER_MARK, size: ({ byteLength }) => byteLength },
  );
}
