import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** The loopback address, to which whatever a demo starts is bound. */
export const host = '127.0.0.1';

/**
 * A port that nobody listens to at this moment. It is none of those that systems give to whoever asks for any (from 32,768 on),
 * among them each outgoing connection: before it is used, one of these could be somebody else's.
 * @param besides one that was asked for before, and is not used yet.
 */
export async function freePort(besides?: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(10_000, 32_768);
    if (port !== besides && (await isFree(port))) return port;
  }
  throw new Error(`There is no free port on ${host}.`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
