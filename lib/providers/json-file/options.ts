import { resolve } from 'node:path';

import * as z from 'zod/mini';

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
export interface JsonFileSettings extends Omit<JsonFileOptions, 'takeOver' | 'readOnly' | 'pollMs'> {
  readonly takeOver: boolean;
  readonly readOnly: boolean;
  readonly pollMs: number;
}

const mode = z.int().check(z.minimum(0), z.maximum(0o777));

const shape = {
  directory: z.string().check(z.minLength(1), z.refine(path => !path.includes('\0'))),
  indent: z.optional(z.int().check(z.minimum(1), z.maximum(10))),
  fileMode: z.optional(mode),
  directoryMode: z.optional(mode),
  takeOver: z.optional(z.boolean()),
  readOnly: z.optional(z.boolean()),
  pollMs: z.optional(z.int().check(z.minimum(10), z.maximum(60_000))),
};

const schema = z.strictObject(shape);

const expected: Readonly<Record<keyof typeof shape, string>> = {
  directory: 'a path: a string that is not empty',
  indent: 'a whole number of spaces from 1 to 10',
  fileMode: 'permissions from 0 to 0o777',
  directoryMode: 'permissions from 0 to 0o777',
  takeOver: 'true or false',
  readOnly: 'true or false',
  pollMs: 'a whole number of milliseconds from 10 to 60,000',
};

/** @throws OptionsError that names the option, what was expected and what came. */
export function checkOptions(options: unknown): JsonFileSettings {
  const result = parse(options);
  if (result.success) return settingsOf(result.data);
  const issue = result.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const names = issue.keys.map(name => `"${name}"`).join(', ');
    throw new OptionsError(`jsonFile: no such option: ${names}; there are ${Object.keys(shape).join(', ')}`);
  }
  const name = issue?.path[0];
  if (!isOption(name)) throw new OptionsError(`jsonFile: expected an object of options, such as { directory: './data' }, but got ${shown(options)}`);
  throw new OptionsError(`jsonFile: option "${name}" must be ${expected[name]}, but got ${shown(memberOf(options, name))}`);
}

function parse(options: unknown): ReturnType<typeof schema.safeParse> {
  try {
    return schema.safeParse(options);
  } catch (cause) {
    throw new OptionsError('jsonFile: the options could not be read; one of them, an accessor or proxy, threw', { cause });
  }
}

function isOption(name: unknown): name is keyof typeof shape {
  return typeof name === 'string' && Object.hasOwn(shape, name);
}

function memberOf(options: unknown, name: string): unknown {
  return typeof options === 'object' && options !== null ? Reflect.get(options, name) : undefined;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

function settingsOf({ directory, indent, fileMode, directoryMode, takeOver = false, readOnly = false, pollMs = 250 }: z.infer<typeof schema>): JsonFileSettings {
  if (readOnly && takeOver) throw new OptionsError('jsonFile: options "readOnly" and "takeOver" exclude each other: who only reads displaces nobody');
  return {
    directory: resolve(directory),
    ...(indent !== undefined && { indent }),
    ...(fileMode !== undefined && { fileMode }),
    ...(directoryMode !== undefined && { directoryMode }),
    takeOver,
    readOnly,
    pollMs,
  };
}
