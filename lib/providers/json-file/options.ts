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
}

const mode = z.int().check(z.minimum(0), z.maximum(0o777));

const shape = {
  directory: z.string().check(z.minLength(1), z.refine(path => !path.includes('\0'))),
  indent: z.optional(z.int().check(z.minimum(1), z.maximum(10))),
  fileMode: z.optional(mode),
  directoryMode: z.optional(mode),
  takeOver: z.optional(z.boolean()),
};

const schema = z.strictObject(shape);

const expected: Readonly<Record<keyof typeof shape, string>> = {
  directory: 'a path: a string that is not empty',
  indent: 'a whole number of spaces from 1 to 10',
  fileMode: 'permissions from 0 to 0o777',
  directoryMode: 'permissions from 0 to 0o777',
  takeOver: 'true or false',
};

/** @throws OptionsError that names the option, what was expected and what came. */
export function checkOptions(options: unknown): JsonFileOptions {
  const result = schema.safeParse(options);
  if (result.success) return definedOnly(result.data);
  const issue = result.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const names = issue.keys.map(name => `"${name}"`).join(', ');
    throw new OptionsError(`jsonFile: no such option: ${names}; there are ${Object.keys(shape).join(', ')}`);
  }
  const name = issue?.path[0];
  if (!isOption(name)) throw new OptionsError(`jsonFile: expected an object of options, such as { directory: './data' }, but got ${shown(options)}`);
  throw new OptionsError(`jsonFile: option "${name}" must be ${expected[name]}, but got ${shown(memberOf(options, name))}`);
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

function definedOnly(options: z.infer<typeof schema>): JsonFileOptions {
  return {
    directory: options.directory,
    ...(options.indent !== undefined && { indent: options.indent }),
    ...(options.fileMode !== undefined && { fileMode: options.fileMode }),
    ...(options.directoryMode !== undefined && { directoryMode: options.directoryMode }),
    ...(options.takeOver !== undefined && { takeOver: options.takeOver }),
  };
}
