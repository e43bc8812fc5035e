import { parseArgs } from 'node:util';

export const providerNames = ['sqlite', 'json-file'] as const;
export type ProviderName = (typeof providerNames)[number];

/** What the command line asks for. */
export type Command =
  | { readonly type: 'run'; readonly provider: ProviderName; readonly directory: string; readonly seconds: number | undefined }
  | { readonly type: 'help' }
  | { readonly type: 'mistake'; readonly message: string };

export const help = `Watches this machine, and keeps what it sees: CPU, memory, load, network, disk, event loop.

  npm start -- [options]

  --seconds N               end after N seconds (default: with Ctrl-C)
  --provider sqlite         keep it in SQLite, in DIR/telemetry.sqlite (default)
  --provider json-file      keep it in JSON files, in DIR/telemetry
  --data DIR                where it is kept (default: data)
  --help                    show this

Ctrl-C saves everything first. Started again, it goes on where it was.
Without a terminal it prints a line a second. NO_COLOR is respected.`;

export function parseCommand(args: readonly string[]): Command {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seconds: { type: 'string' },
        provider: { type: 'string', default: 'sqlite' },
        data: { type: 'string', default: 'data' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values.help ? { type: 'help' } : checkValues(values);
  } catch (error) {
    return mistake(error instanceof Error ? (error.message.split(/\.?(?:\n| To )/)[0] ?? error.message) : String(error)); // what follows explains parseArgs
  }
}

function checkValues({ seconds, provider, data }: { seconds?: string; provider: string; data: string }): Command {
  const known = providerNames.find((name) => name === provider);
  if (known === undefined) return mistake(`--provider must be ${providerNames.join(' or ')}, not '${provider}'`);
  if (data.trim() === '') return mistake('--data must be a directory, not empty');
  const duration = seconds === undefined || seconds.trim() === '' ? undefined : Number(seconds);
  if (seconds !== undefined && (duration === undefined || !(duration > 0) || duration > 1_000_000)) {
    return mistake(`--seconds must be a number from above 0 to 1000000, not '${seconds}'`);
  }
  return { type: 'run', provider: known, directory: data, seconds: duration };
}

function mistake(message: string): Command {
  return { type: 'mistake', message };
}
