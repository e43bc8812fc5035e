import { parseArgs } from 'node:util';

export const fileProviders = ['sqlite', 'json-file'] as const;
export type FileProvider = (typeof fileProviders)[number];

/** Where measurements are kept. */
export type Storage = { readonly provider: FileProvider; readonly directory: string } | { readonly provider: 'postgres'; readonly url: string };

/** What the command line asks for. */
export type Command =
  | { readonly type: 'run'; readonly storage: Storage; readonly port: number; readonly seconds: number | undefined }
  | { readonly type: 'help' }
  | Mistake;

interface Mistake {
  readonly type: 'mistake';
  readonly message: string;
}

/** So that it does not meet other tables. */
export const postgresSchema = 'rx_persistify_telemetry';

export const help = `Watches this machine, and keeps what it sees: CPU, memory, load, network, disk, event loop.
It is shown here, and in a browser of this machine, at the address that is printed.

  npm start -- [options]

  --port N                  of that address (default: one that is free)
  --seconds N               end after N seconds (default: with Ctrl-C)
  --provider sqlite         keep it in SQLite, in DIR/telemetry.sqlite (default)
  --provider json-file      keep it in JSON files, in DIR/telemetry
  --postgres URL            keep it in PostgreSQL, in tables of a schema of their own, ${postgresSchema}
  --data DIR                where files are kept (default: data)
  --help                    show this

Ctrl-C saves everything first. Started again, it goes on where it was.
Without a terminal it prints a line a second. NO_COLOR is respected.`;

export function parseCommand(args: readonly string[]): Command {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        port: { type: 'string' },
        seconds: { type: 'string' },
        provider: { type: 'string' },
        postgres: { type: 'string' },
        data: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values.help ? { type: 'help' } : checkValues(values);
  } catch (error) {
    return mistake(error instanceof Error ? (error.message.split(/\.?(?:\n| To )/)[0] ?? error.message) : String(error)); // what follows explains parseArgs
  }
}

interface Given {
  readonly port?: string | undefined;
  readonly seconds?: string | undefined;
  readonly provider?: string | undefined;
  readonly postgres?: string | undefined;
  readonly data?: string | undefined;
}

function checkValues(given: Given): Command {
  const storage = given.postgres === undefined ? fileStorage(given) : postgresStorage(given.postgres, given);
  if ('type' in storage) return storage;
  const port = numberIn(given.port);
  if (given.port !== undefined && (port === undefined || !Number.isInteger(port) || port < 0 || port > 65_535)) {
    return mistake(`--port must be a whole number from 0 (one that is free) to 65535, not '${given.port}'`);
  }
  const seconds = numberIn(given.seconds);
  if (given.seconds !== undefined && (seconds === undefined || !(seconds > 0) || seconds > 1_000_000)) {
    return mistake(`--seconds must be a number from above 0 to 1000000, not '${given.seconds}'`);
  }
  return { type: 'run', storage, port: port ?? 0, seconds };
}

function fileStorage({ provider = 'sqlite', data = 'data' }: Given): Storage | Mistake {
  const known = fileProviders.find((name) => name === provider);
  if (known === undefined) return mistake(`--provider must be ${fileProviders.join(' or ')}, not '${provider}'`);
  if (data.trim() === '') return mistake('--data must be a directory, not empty');
  return { provider: known, directory: data };
}

function postgresStorage(url: string, { provider, data }: Given): Storage | Mistake {
  if (provider !== undefined || data !== undefined) return mistake('--postgres says where it is kept: leave out --provider and --data');
  // What was given is not repeated: it may hold a password.
  if (!/^postgres(ql)?:$/.test(URL.canParse(url) ? new URL(url).protocol : '')) return mistake('--postgres must be a URL such as postgres://user@localhost/database');
  return { provider: 'postgres', url };
}

function numberIn(text: string | undefined): number | undefined {
  return text === undefined || text.trim() === '' ? undefined : Number(text);
}

function mistake(message: string): Mistake {
  return { type: 'mistake', message };
}
