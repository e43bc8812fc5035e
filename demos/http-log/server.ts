// A log server: append-only logs over HTTP, kept in files. It knows nothing of dictionaries; a record is a line of JSON.
//   GET  /?log=NAME&after=N   answers with the records after the first N
//   POST /?log=NAME&after=N   appends the body, if the log has exactly N records, and answers the same; durable when it answers
// Run it: node server.js DIRECTORY [PORT]
import { createHash } from 'node:crypto';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** One log, in memory for reading and in a file for keeps. */
class Log {
  readonly lines: string[];
  readonly #file: FileHandle;

  static async open(directory: string, name: string): Promise<Log> {
    const path = join(directory, `${createHash('sha256').update(name).digest('hex')}.log`);
    const file = await open(path, 'a+', 0o600);
    const whole = await file.readFile('utf8');
    const end = whole.lastIndexOf('\n') + 1;
    await file.truncate(Buffer.byteLength(whole.slice(0, end))); // a torn last line was never acknowledged
    await syncDirectory(directory);
    return new Log(file, whole.slice(0, end).split('\n').slice(0, -1));
  }

  private constructor(file: FileHandle, lines: string[]) {
    this.#file = file;
    this.lines = lines;
  }

  async append(record: unknown): Promise<void> {
    const line = JSON.stringify({ at: Date.now(), record });
    await this.#file.appendFile(`${line}\n`);
    await this.#file.datasync();
    this.lines.push(line);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

const unreadable = Symbol('unreadable');

async function readRecord(request: IncomingMessage): Promise<unknown> {
  try {
    return JSON.parse(await text(request));
  } catch {
    return unreadable; // or who sent it has left in the middle
  }
}

/** The logs of a directory; each handles one request at a time. */
class Logs {
  readonly #directory: string;
  readonly #logs = new Map<string, Promise<Log>>();
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const [name, after] = [searchParams.get('log'), Number(searchParams.get('after') ?? 0)];
    if (name === null || !Number.isSafeInteger(after)) {
      response.writeHead(400).end('expected ?log=NAME&after=N');
      return;
    }
    const record = request.method === 'POST' ? await readRecord(request) : undefined;
    if (record === unreadable) {
      response.writeHead(400).end('expected a record of JSON');
      return;
    }
    const lines = await this.#inTurn(name, async (log) => {
      if (record !== undefined && log.lines.length === after) await log.append(record);
      return log.lines.slice(after);
    });
    response.end(lines.join('\n'));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#queues.values());
    for (const log of this.#logs.values()) await (await log).close();
  }

  #inTurn<R>(name: string, task: (log: Log) => Promise<R>): Promise<R> {
    const log = this.#logs.get(name) ?? Log.open(this.#directory, name);
    this.#logs.set(name, log);
    const turn = (this.#queues.get(name) ?? Promise.resolve()).catch(() => undefined).then(async () => task(await log));
    this.#queues.set(name, turn);
    return turn;
  }
}

export interface LogServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Serves the logs in `directory`; port 0 is any that is free. */
export async function startLogServer(directory: string, port = 0): Promise<LogServer> {
  await mkdir(directory, { recursive: true });
  const logs = new Logs(directory);
  const server = createServer((request, response) => {
    void logs.answer(request, response); // a failed append ends the process: what it left in the file, the next start reads
  });
  const actual = await listen(server, port);
  return {
    url: `http://127.0.0.1:${actual}/`,
    port: actual,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await logs.close();
    },
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return; // it cannot, and needs not
  const handle = await open(directory, 'r');
  await handle.sync().finally(() => handle.close());
}

if (import.meta.filename === process.argv[1]) {
  const [directory = 'logs', port = '0'] = process.argv.slice(2);
  const server = await startLogServer(directory, Number(port));
  console.log(`listening on ${server.url}`);
  process.send?.({ url: server.url, port: server.port });
  process.once('disconnect', () => process.exit()); // who started it is gone
}
