import { resolve } from 'node:path';

import * as z from 'zod/mini';

import { check, object, wholeBetween, wholeMilliseconds } from '../../check-options.ts';
import { OptionsError } from '../../errors.ts';

/** Where and how {@link jsonFile} keeps its dictionaries. */
export interface JsonFileOptions {
  /** The directory of the files; made if it is not there. Relative to the process's working directory at this moment. */
  readonly directory: string;
  /**
   * Spaces by which nested values are indented in `<name>.json`, 1 to 10. Such a file is opened at a slower pace.
   * @default none: one entry a line
   */
  readonly indent?: number;
  /**
   * The permissions of the files.
   * @default 0o600, and for a `.json` file that was there already those that it has
   */
  readonly fileMode?: number;
  /**
   * The permissions of directories that are made.
   * @default 0o700
   */
  readonly directoryMode?: number;
  /**
   * How large the log may grow, in bytes (65,536 to 1,073,741,824), before it is folded into the `.json` file while writing goes on;
   * up to the size of that file it may grow anyway. More of it takes longer to read at the next open, should the process be killed:
   * of single writes about a quarter of a second for 4 MiB. Less of it writes the file more often.
   * @default 4 MiB
   */
  readonly logBytes?: number;
  /**
   * Whether to displace another owner, even a living one. What it writes after that fails before it is acknowledged.
   * @default false
   */
  readonly takeOver?: boolean;
  /**
   * Whether to read and follow the file alone: what its owner commits, be he another process, and edits by hand, come as changes of
   * origin `remote`. No lock is taken and nothing is written, so that permission to read is enough; writes throw a `ReadOnlyError`.
   * What is shown is what the owner acknowledged, at one commit after the other; of several quick ones it may be the last alone.
   * A file that is not there is an empty dictionary, until it is there. Options on how to write have no effect.
   * @default false
   */
  readonly readOnly?: boolean;
  /**
   * With `readOnly`, how often the files are looked at, in milliseconds (10 to 60,000). It is only the net behind a watch of the
   * directory, by which a commit is mostly heard of within some milliseconds.
   * @default 250
   */
  readonly pollMs?: number;
}

/** The options with their defaults, as far as what is there does not decide. */
export interface JsonFileSettings extends Omit<JsonFileOptions, 'logBytes' | 'takeOver' | 'readOnly' | 'pollMs'> {
  readonly logBytes: number;
  readonly takeOver: boolean;
  readonly readOnly: boolean;
  readonly pollMs: number;
}

const mode = z.optional(z.custom<number>((value) => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0o777, 'permissions from 0 to 0o777'));
const flag = z.optional(z.boolean('true or false'));

const schema = object({
  directory: z.custom<string>((path) => typeof path === 'string' && path !== '' && !path.includes('\0'), 'the path of a directory'),
  indent: wholeBetween(1, 10, 'of spaces '),
  fileMode: mode,
  directoryMode: mode,
  logBytes: wholeBetween(1 << 16, 1 << 30, 'of bytes '),
  takeOver: flag,
  readOnly: flag,
  pollMs: wholeMilliseconds(10, 60_000),
});

/**
 * The settings that these options mean.
 * @throws OptionsError that names the option, what was expected and what came.
 */
export function checkOptions(options: JsonFileOptions): JsonFileSettings {
  check(schema, options, 'jsonFile()');
  const { directory, logBytes = 1 << 22, takeOver = false, readOnly = false, pollMs = 250, ...others } = options;
  if (readOnly && takeOver) throw new OptionsError('jsonFile(): readOnly and takeOver exclude each other: who only reads displaces nobody.');
  return { ...others, directory: resolve(directory), logBytes, takeOver, readOnly, pollMs };
}
